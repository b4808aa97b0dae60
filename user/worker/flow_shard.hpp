// SPDX-License-Identifier: Apache-2.0
// A worker's flows, for other threads. Another thread may read them while it holds the worker's
// mutex. Hold it for well under a millisecond, because the worker takes no records meanwhile.
#pragma once

#include "flow/flow_table.hpp"
#include "worker/fair_mutex.hpp"

namespace nids {

struct FlowShard {
  const FlowTable* flows;
  FairMutex* mutex;
};

}  // namespace nids
