// SPDX-License-Identifier: Apache-2.0
// The counters of the outputs, one block for each interface. They are in the maps of the programs,
// so they outlive the agent.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "nids/abi/counters.h"

namespace nids {

class OutputCounters {
 public:
  // Call it before the first worker starts. `counters` must outlive the outputs.
  void add(std::uint32_t ifindex, nids_agent_counters& counters) {
    blocks_.emplace(ifindex, &counters);
  }
  bool is_attached(std::uint32_t ifindex) const {
    const nids_agent_counters* block = of(ifindex);
    return block && is_attached(*block);
  }
  // Null if the interface is not watched.
  nids_agent_counters* of(std::uint32_t ifindex) const {
    const auto found = blocks_.find(ifindex);
    return found == blocks_.end() ? nullptr : found->second;
  }
  // All blocks, those of attached interfaces first. What concerns all interfaces is counted in the
  // first block, because nobody reads the counters of a detached interface.
  std::vector<nids_agent_counters*> attached_first() const {
    std::vector<nids_agent_counters*> blocks;
    for (const auto& [ifindex, block] : blocks_) blocks.push_back(block);
    std::stable_partition(blocks.begin(), blocks.end(),
                          [](const nids_agent_counters* block) { return is_attached(*block); });
    return blocks;
  }

 private:
  static bool is_attached(const nids_agent_counters& block) {
    return __atomic_load_n(&block.pid, __ATOMIC_RELAXED) != 0;
  }

  std::map<std::uint32_t, nids_agent_counters*> blocks_;
};

}  // namespace nids
