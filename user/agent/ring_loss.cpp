// SPDX-License-Identifier: Apache-2.0
#include "agent/ring_loss.hpp"

namespace nids {
namespace {

// Failed reserves of one block; its CPU may write it meanwhile.
std::uint64_t lost_by(const nids_counters& block) {
  std::uint64_t lost = 0;
  for (const nids_sum& reason : block.ring_lost)
    lost += __atomic_load_n(&reason.packets, __ATOMIC_RELAXED);
  return lost;
}

}  // namespace

void note_ring_loss(std::span<const nids_counters> blocks, std::uint64_t now_ns,
                    nids_agent_counters& agent) {
  std::uint64_t lost = 0;
  for (const nids_counters& block : blocks) lost += lost_by(block);
  if (lost == agent.ring_lost_noted) return;
  // The time first: a reader that sees the number without it would miss the loss.
  __atomic_store_n(&agent.ring_lost_ns, now_ns, __ATOMIC_RELAXED);
  __atomic_store_n(&agent.ring_lost_noted, lost, __ATOMIC_RELEASE);
}

bool is_ring_loss_recent(const nids_counters& sum, const nids_agent_counters& agent,
                         std::uint64_t now_ns) {
  if (lost_by(sum) > agent.ring_lost_noted) return true;
  const auto recent_ns = static_cast<std::uint64_t>(kRingLossIsRecent.count());
  return agent.ring_lost_ns != 0 && now_ns < agent.ring_lost_ns + recent_ns;
}

}  // namespace nids
