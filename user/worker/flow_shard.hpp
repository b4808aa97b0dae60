// SPDX-License-Identifier: Apache-2.0
// A worker's flows, for other threads: they may read them while they hold the worker's mutex, which
// keeps the worker from its ring. So hold it for well under a millisecond.
#pragma once

#include "flow/flow_table.hpp"
#include "worker/fair_mutex.hpp"

namespace nids {

struct FlowShard {
  const FlowTable* flows;
  FairMutex* mutex;
};

}  // namespace nids
