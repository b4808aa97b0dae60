// SPDX-License-Identifier: Apache-2.0
#include "source/flow_commands.hpp"

#include <cstring>

#include "firstpass/twin.h"
#include "nids/abi/packed_key.h"

namespace nids {
namespace {

nids_flow4_key packed4(const nids_flow_key& key) {
  nids_flow4_key packed;
  nids_pack_flow4(&key, &packed);
  return packed;
}

nids_flow6_key packed6(const nids_flow_key& key) {
  nids_flow6_key packed;
  nids_pack_flow6(&key, &packed);
  return packed;
}

// The generation is read before the key: a slot that changes hands between the two has another one
// by the time it looks at the command.
template <class Set, class Key>
std::uint32_t tell(Set& set, const Key& key, std::uint8_t word) {
  std::uint32_t told = 0;
  for (auto& slot : set.way) {
    const std::uint32_t generation = __atomic_load_n(&slot.state.generation, __ATOMIC_ACQUIRE);
    if (generation == 0 || std::memcmp(&slot.key, &key, sizeof(key)) != 0) continue;
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

std::uint32_t FlowCommands::give(const nids_flow_key& key, nids_slot_address slot,
                                 std::uint8_t word) {
  // First, for who opens a slot meanwhile.
  nids_twin_raise(tables_.cells, tables_.cell_bits,
                  nids_twin_flow_hash(&key, tables_.hash_keys.data()), word);
  std::uint32_t told = 0;
  for (std::uint32_t cpu = 0; cpu < tables_.cpus; ++cpu) {
    if (key.ip_version == 4 && slot.set < tables_.sets4_per_cpu)
      told += tell(tables_.sets4[cpu * tables_.sets4_per_cpu + slot.set], packed4(key), word);
    if (key.ip_version == 6 && slot.set < tables_.sets6_per_cpu)
      told += tell(tables_.sets6[cpu * tables_.sets6_per_cpu + slot.set], packed6(key), word);
  }
  return told;
}

}  // namespace nids
