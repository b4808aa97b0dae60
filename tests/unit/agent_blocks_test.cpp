// SPDX-License-Identifier: Apache-2.0
// How readers add up the blocks of an agent's counters.
#include <gtest/gtest.h>

#include <array>

#include "kernel/maps.hpp"

namespace nids {
namespace {

TEST(AgentBlocks, FillWholeCacheLines) { EXPECT_EQ(sizeof(nids_agent_counters) % 64, 0u); }

TEST(AgentBlocks, CountersAddUpAndIdentityTimesAndFlagsAreThoseOfBlock0) {
  std::array<nids_agent_counters, 3> blocks{};
  blocks[0] = {.pid = 5, .degraded = NIDS_DEGRADED_EVE, .eve_lines = 3, .heartbeat_ns = 70};
  blocks[1] = {.pid = 9, .consumed = {1, 10}, .flows_tracked = 4, .sweep_ns = 30};
  blocks[2] = {.degraded = NIDS_DEGRADED_IPFIX,
               .consumed = {2, 20},
               .flows_tracked = 5,
               .heartbeat_ns = 90,
               .sweep_ns = 20};
  const nids_agent_counters sum = read_counters(blocks);
  EXPECT_EQ(sum.pid, 5u);
  EXPECT_EQ(sum.degraded, NIDS_DEGRADED_EVE + 0u);
  EXPECT_EQ(sum.heartbeat_ns, 70u);
  EXPECT_EQ(sum.consumed.packets, 3u);
  EXPECT_EQ(sum.consumed.bytes, 30u);
  EXPECT_EQ(sum.flows_tracked, 9u);
  EXPECT_EQ(sum.eve_lines, 3u);
  EXPECT_EQ(sum.sweep_ns, 30u) << "the longest";
}

TEST(AgentBlocks, NoBlockIsReadAsNoAgent) {
  EXPECT_EQ(read_counters(std::span<const nids_agent_counters>{}).pid, 0u);
}

}  // namespace
}  // namespace nids
