// SPDX-License-Identifier: Apache-2.0
// The agent's word to the kernel on single flows: what to send up of them. Writes nothing but the
// command words of slots.
#pragma once

#include <cstdint>

#include "kernel/maps.hpp"
#include "nids/abi/event.h"

namespace nids {

class FlowCommands {
 public:
  // Null where the flow tables can't be mapped: give() then does nothing.
  explicit FlowCommands(const Maps& maps);
  FlowCommands(FlowCommands&&) noexcept = default;

  // To every slot of the flow, on all CPUs, that exists now; returns how many. A slot that another
  // flow takes meanwhile does not obey, since its generation is another.
  std::uint32_t give(const nids_flow_key& key, nids_slot_address slot, std::uint8_t word);

 private:
  nids_info info_{};
  MappedArray<nids_flow4_set> flows4_;
  MappedArray<nids_flow6_set> flows6_;
};

}  // namespace nids
