// SPDX-License-Identifier: Apache-2.0
// The agent's word to the kernel on single flows: what to send up of them. Writes nothing but the
// command words of slots, and a flow's cell for slots that are yet to come.
#pragma once

#include <cstdint>

#include "net/flow_identity.hpp"
#include "nids/abi/event.h"
#include "source/flow_reader.hpp"

namespace nids {

class FlowCommands {
 public:
  // Good as long as the tables are.
  explicit FlowCommands(const FlowTables& tables) : tables_(tables) {}

  // To every slot of the flow, on all CPUs, that exists now; returns how many. A slot that another
  // flow takes meanwhile does not obey, since its generation is another. CPUs that see the flow
  // later know that it was raised, but not where to stop.
  std::uint32_t give(const FlowIdentity& flow, nids_slot_address slot, std::uint8_t word);

 private:
  FlowTables tables_;
};

}  // namespace nids
