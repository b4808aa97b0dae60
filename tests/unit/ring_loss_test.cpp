// SPDX-License-Identifier: Apache-2.0
#include "agent/ring_loss.hpp"

#include <gtest/gtest.h>

#include <array>

namespace nids {
namespace {

constexpr std::uint64_t kSecond_ns = 1'000'000'000, kBoot_ns = 100 * kSecond_ns;

TEST(RingLoss, IsRecentForAMinuteAfterTheAgentSawIt) {
  std::array<nids_counters, 2> blocks{};
  nids_agent_counters agent{};
  note_ring_loss(blocks, kBoot_ns, agent);
  EXPECT_FALSE(is_ring_loss_recent({}, agent, kBoot_ns));

  blocks[1].ring_lost[NIDS_REASON_CAPTURE].packets = 3;
  nids_counters sum = blocks[1];
  EXPECT_TRUE(is_ring_loss_recent(sum, agent, kBoot_ns)) << "before the agent has looked";
  note_ring_loss(blocks, kBoot_ns, agent);
  EXPECT_EQ(agent.ring_lost_noted, 3u);
  for (const std::uint64_t later : {0u, 1u, 59u})
    EXPECT_TRUE(is_ring_loss_recent(sum, agent, kBoot_ns + later * kSecond_ns)) << later;

  note_ring_loss(blocks, kBoot_ns + 30 * kSecond_ns, agent);
  EXPECT_FALSE(is_ring_loss_recent(sum, agent, kBoot_ns + 60 * kSecond_ns)) << "none came since";

  blocks[0].ring_lost[NIDS_REASON_FLOW_EXPORT].packets = 1;
  sum.ring_lost[NIDS_REASON_FLOW_EXPORT].packets = 1;
  note_ring_loss(blocks, kBoot_ns + 90 * kSecond_ns, agent);
  EXPECT_TRUE(is_ring_loss_recent(sum, agent, kBoot_ns + 149 * kSecond_ns));
  EXPECT_FALSE(is_ring_loss_recent(sum, agent, kBoot_ns + 150 * kSecond_ns));
}

TEST(RingLoss, OfAnAgentThatHangsStaysUntilItLooks) {
  nids_counters sum{};
  sum.ring_lost[NIDS_REASON_FINDING].packets = 1;
  EXPECT_TRUE(is_ring_loss_recent(sum, {}, 1'000'000 * kSecond_ns));
}

}  // namespace
}  // namespace nids
