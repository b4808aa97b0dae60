// SPDX-License-Identifier: Apache-2.0
#include "source/flow_commands.hpp"

#include "net/flow_key.h"
#include "net/flow_slot.h"
#include "nids/abi/packed_key.h"

namespace nids {
namespace {

bool has_key(const nids_flow4& slot, const FlowIdentity& flow) {
  return nids_slot4_has_key(&slot, &flow.key) != 0;
}

bool has_key(const nids_flow6& slot, const FlowIdentity& flow) {
  return nids_slot6_has_key(&slot, &flow.key, &flow.tunnel) != 0;
}

// The generation is read before the key: a slot that changes hands between the two has another one
// by the time it looks at the command.
template <class Set>
std::uint32_t tell(Set& set, const FlowIdentity& flow, std::uint8_t word) {
  std::uint32_t told = 0;
  for (auto& slot : set.way) {
    const std::uint32_t generation = __atomic_load_n(&slot.state.generation, __ATOMIC_ACQUIRE);
    if (generation == 0 || !has_key(slot, flow)) continue;
    const std::uint32_t before = __atomic_load_n(&slot.state.command, __ATOMIC_RELAXED);
    const std::uint32_t reported =
        before >> NIDS_COMMAND_BITS == generation ? before & NIDS_COMMAND_REPORTED : 0;
    __atomic_store_n(&slot.state.command,
                     generation << NIDS_COMMAND_BITS | reported | (word & NIDS_COMMAND_WORD),
                     __ATOMIC_RELEASE);
    ++told;
  }
  return told;
}

}  // namespace

std::uint32_t FlowCommands::give(const FlowIdentity& flow, nids_slot_address slot,
                                 std::uint8_t word) {
  // First, for who opens a slot meanwhile.
  nids_cell_raise(tables_.cells, tables_.cell_bits,
                  nids_flow_hash_of(&flow.key, &flow.tunnel, tables_.hash_keys.data()), word);
  const bool is_in_table4 = nids_is_in_table4(&flow.key) != 0;
  std::uint32_t told = 0;
  for (std::uint32_t cpu = 0; cpu < tables_.cpus; ++cpu) {
    if (is_in_table4 && slot.set < tables_.sets4_per_cpu)
      told += tell(tables_.sets4[cpu * tables_.sets4_per_cpu + slot.set], flow, word);
    if (!is_in_table4 && slot.set < tables_.sets6_per_cpu)
      told += tell(tables_.sets6[cpu * tables_.sets6_per_cpu + slot.set], flow, word);
  }
  return told;
}

}  // namespace nids
