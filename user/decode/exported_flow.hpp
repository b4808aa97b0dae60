// SPDX-License-Identifier: Apache-2.0
// What a slot of the kernel's table held when it went up. One CPU's view of a flow, or of a part.
#pragma once

#include <cstdint>

#include "nids/abi/event.h"
#include "nids/time.hpp"

namespace nids {

struct ExportedFlow {
  nids_flow_key key{};
  nids_flow_tunnel tunnel{};  // completes the key
  nids_flow_state state{};    // use `created` and `last`, not its ticks
  std::uint64_t history = 0;
  WallTime created, last;  // a tick fine
  nids_export cause = NIDS_EXPORT_EVICTED;
  std::uint32_t ifindex = 0;
  std::uint32_t set = 0;  // where the slot was, in the table of `cpu`
  std::uint16_t cpu = 0;
};

}  // namespace nids
