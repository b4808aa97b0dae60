// SPDX-License-Identifier: Apache-2.0
// Which packets with findings go up as samples, and what is told of those that don't.
#include <gtest/gtest.h>

#include "support/twin_run.hpp"

namespace nids {
namespace {

constexpr std::size_t kSamples = 16;  // of a kind, in a second

class FindingSample : public testing::Test {
 protected:
  static PacketBuilder flags(std::uint8_t flags, std::uint16_t dst_port = 9999) {
    return PacketBuilder{}.eth().ipv4().tcp({.dst_port = dst_port, .flags = flags});
  }
  static PacketBuilder null() { return flags(0); }
  static PacketBuilder xmas() { return flags(kTcpFin | kTcpPsh | kTcpUrg); }

  ClassTables tables_{
      {.name = "bypassed", .tcp = {7}, .interest = NIDS_INTEREST_BYPASS},
      {.name = "captured", .tcp = {22}},
  };
  TwinRun run_{{.slots = 64, .slots_ipv6 = 64}, tables_};
};

TEST_F(FindingSample, GoesUpWithItsFindingsAndItsFirstBytes) {
  TwinRun run({.slots = 64, .slots_ipv6 = 64, .sample_bytes = 60}, tables_);
  EXPECT_EQ(run.send(null().payload_bytes(200)), 1u);
  const Packet& packet = run.packets[0];
  EXPECT_EQ(packet.reason, NIDS_REASON_FINDING);
  EXPECT_EQ(packet.findings, 1u << NIDS_FINDING_NULL);
  EXPECT_EQ(packet.bytes.size(), 60u);
  EXPECT_EQ(packet.wire_len, 254u);
  EXPECT_EQ(run.counters().findings[NIDS_FINDING_NULL], 1u);
  EXPECT_EQ(run.counters().not_sampled.packets, 0u);
}

TEST_F(FindingSample, OfAFlowThatIsKnownTellsItsSlotAndItsSenderToo) {
  // Without interest in flows of no class, their known ones are counted on a way of its own.
  TwinRun run(
      {.slots = 64, .slots_ipv6 = 64, .features = NIDS_FEATURES_ALL & ~NIDS_FEATURE_UNCLASSIFIED},
      tables_);
  run.send(flags(kTcpSyn));
  ASSERT_EQ(run.send(xmas()), 1u);
  ASSERT_EQ(run.send(xmas()), 1u) << "the second brings no event that its flow had not";
  for (const Packet& packet : run.packets) {
    EXPECT_TRUE(packet.from_opener);
    EXPECT_EQ(packet.slot.generation, 1u);
  }
}

TEST_F(FindingSample, OnlySixteenOfAKindGoUpInASecondAndTheRestIsCounted) {
  std::size_t up = 0;
  for (int i = 0; i < 100; ++i) up += run_.send(null());
  EXPECT_EQ(up, kSamples);
  EXPECT_EQ(run_.counters().findings[NIDS_FINDING_NULL], 100u);
  EXPECT_EQ(run_.counters().not_sampled.packets, 100u - kSamples);
  EXPECT_EQ(run_.counters().not_sampled.bytes, (100u - kSamples) * 54);

  EXPECT_EQ(run_.send(xmas()), 1u) << "another kind has a budget of its own";
  run_.wait(kSecond_ns - kMillisecond_ns);
  EXPECT_EQ(run_.send(null()), 0u);
  run_.wait(kMillisecond_ns);
  EXPECT_EQ(run_.send(null()), 1u);
}

TEST_F(FindingSample, OfTwoKindsGoesUpWhileEitherHasBudget) {
  for (std::size_t i = 0; i < kSamples; ++i) run_.send(flags(kTcpSyn | kTcpFin));
  EXPECT_EQ(run_.send(flags(kTcpSyn | kTcpFin)), 0u);
  EXPECT_EQ(run_.send(flags(kTcpSyn | kTcpFin | kTcpRst)), 1u);
  EXPECT_EQ(run_.packets.back().findings, 1u << NIDS_FINDING_SYN_FIN | 1u << NIDS_FINDING_SYN_RST);
}

TEST_F(FindingSample, OfAPacketWithoutAFlowGoesUpToo) {
  EXPECT_EQ(run_.send(PacketBuilder{}.eth().ipv4({.total_len = 9000}).udp()), 1u);
  EXPECT_EQ(run_.packets[0].headers.result, NIDS_PARSE_BAD_LENGTH);
  EXPECT_EQ(run_.packets[0].slot.generation, 0u);
  EXPECT_EQ(run_.counters().no_flow.packets, 1u);
}

TEST_F(FindingSample, PacketThatGoesUpAnywayCostsNoBudgetAndHasItsFindings) {
  for (int i = 0; i < 100; ++i) ASSERT_EQ(run_.send(flags(0, 22)), 1u);
  EXPECT_EQ(run_.packets.back().reason, NIDS_REASON_CAPTURE);
  EXPECT_EQ(run_.packets.back().findings, 1u << NIDS_FINDING_NULL);
  EXPECT_EQ(run_.counters().not_sampled.packets, 0u);
  EXPECT_EQ(run_.send(null()), 1u);
}

TEST_F(FindingSample, OfABypassedFlowIsCountedAndNeverGoesUp) {
  EXPECT_EQ(run_.send(flags(0, 7)), 0u);
  EXPECT_EQ(run_.counters().findings[NIDS_FINDING_NULL], 1u);
  EXPECT_EQ(run_.counters().not_sampled.packets, 0u) << "it is not wanted";
}

TEST_F(FindingSample, WithoutTheFeatureNothingIsJudged) {
  TwinRun run(
      {.slots = 64, .slots_ipv6 = 64, .features = NIDS_FEATURES_ALL & ~NIDS_FEATURE_FINDINGS},
      tables_);
  EXPECT_EQ(run.send(null()), 0u);
  EXPECT_EQ(run.counters().findings[NIDS_FINDING_NULL], 0u);
  ASSERT_EQ(run.send(flags(0, 22)), 1u);
  EXPECT_EQ(run.packets.back().findings, 0u);
}

TEST_F(FindingSample, InATunnelTellsBothItsEnds) {
  ASSERT_EQ(run_.send(PacketBuilder{}
                          .eth()
                          .ipv4({.src = "192.0.2.1", .dst = "192.0.2.2"})
                          .gre({.key = 77})
                          .ipv4()
                          .tcp({.flags = 0})),
            1u);
  const Packet& packet = run_.packets[0];
  EXPECT_EQ(packet.headers.tunnel, NIDS_TUNNEL_GRE);
  EXPECT_EQ(address_text(packet.headers.src, 4), "10.0.0.1");
  EXPECT_EQ(address_text(packet.detail.outer.src, 4), "192.0.2.1");
  EXPECT_EQ(packet.detail.outer.key, 77u);
  EXPECT_EQ(run_.counters().tunnel[NIDS_TUNNEL_GRE], 1u);
}

}  // namespace
}  // namespace nids
