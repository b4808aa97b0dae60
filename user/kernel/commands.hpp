// SPDX-License-Identifier: Apache-2.0
// The agent's word to the kernel on single flows: what to send up of them. Writes nothing but the
// command words of slots.
#pragma once

#include <cstdint>

#include "kernel/flow_maps.hpp"
#include "nids/abi/event.h"
#include "nids/abi/flow.h"

namespace nids {

class FlowCommands {
 public:
  // Good as long as what `maps` has mapped: each mapping of a large table counts in a process's
  // RSS.
  explicit FlowCommands(const FlowMaps& maps);

  // To every slot of the flow, on all CPUs, that exists now; returns how many. A slot that another
  // flow takes meanwhile does not obey, since its generation is another.
  std::uint32_t give(const nids_flow_key& key, nids_slot_address slot, std::uint8_t word);

 private:
  nids_info info_{};
  nids_flow4_set* sets4_;
  nids_flow6_set* sets6_;
};

}  // namespace nids
