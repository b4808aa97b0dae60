// SPDX-License-Identifier: Apache-2.0
// Which packets with findings are sent as samples, and how the others are counted.
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>

#include "support/twin_run.hpp"

namespace nids {
namespace {

constexpr std::size_t kBudget = 256;  // of a kind, in a second

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
  run.wait(60 * kSecond_ns);
  ASSERT_EQ(run.send(xmas()), 1u) << "the second brings no event that its flow had not";
  for (const Packet& packet : run.packets) {
    EXPECT_TRUE(packet.from_opener);
    EXPECT_EQ(packet.slot.generation, 1u);
  }
}

TEST_F(FindingSample, EachSenderHasOneOfAKindInTheWindow) {
  std::size_t up = 0;
  for (int i = 0; i < 100; ++i) up += run_.send(null());
  EXPECT_EQ(up, 1u);
  EXPECT_EQ(run_.counters().findings[NIDS_FINDING_NULL], 100u);
  EXPECT_EQ(run_.counters().not_sampled.packets, 99u);
  EXPECT_EQ(run_.counters().not_sampled.bytes, 99u * 54);

  EXPECT_EQ(run_.send(xmas()), 1u) << "another kind has samples of its own";
  run_.wait(60 * kSecond_ns - kMillisecond_ns);
  EXPECT_EQ(run_.send(null()), 0u);
  run_.wait(kMillisecond_ns);
  EXPECT_EQ(run_.send(null()), 1u);
}

// Before, 800 packets a second from one forged source hid every other sender of the kind.
TEST_F(FindingSample, OneSenderCannotHideAnother) {
  for (int second = 0; second < 5; ++second) {
    for (int i = 0; i < 800; ++i) run_.send(null());
    run_.wait(kSecond_ns);
  }
  run_.packets.clear();
  for (int i = 0; i < 120; ++i)
    run_.send(PacketBuilder{}
                  .eth()
                  .ipv4({.src = "10.9.0." + std::to_string(i + 1)})
                  .tcp({.dst_port = 9999, .flags = 0}));
  // There are 4,096 buckets, so a few of the senders may share one.
  EXPECT_GE(run_.packets.size(), 110u);
}

// What 2^24 forged senders hide: see docs/threat-model.md. Once in the window, each bucket gives
// its sample to the first packet that comes.
TEST_F(FindingSample, ForgedSendersHideASinglePacketButRarelyASteadySender) {
  constexpr std::uint32_t kForged = 1'000, kSeconds = 180, kOnce = 300, kSteady = 50;
  std::mt19937 random(1);
  const auto send_from = [this](std::uint32_t network, std::uint32_t host) {
    return run_.send(
        PacketBuilder{}
            .eth()
            .ipv4({.src = std::to_string(network) + '.' + std::to_string(host >> 16) + '.' +
                          std::to_string(host >> 8 & 255) + '.' + std::to_string(host & 255)})
            .tcp({.dst_port = 9999, .flags = 0}));
  };
  std::size_t once = 0;
  std::set<std::uint32_t> steady;
  for (std::uint32_t second = 0; second < kSeconds; ++second)
    for (std::uint32_t i = 0; i < kForged; ++i) {
      run_.wait(kMillisecond_ns);
      send_from(10, random() & 0xffffff);
      const bool is_last_minute = second >= kSeconds - 60;
      if (is_last_minute && i % (60 * kForged / kOnce) == 0)
        once += send_from(172, second << 8 | i);
      if (is_last_minute && i % (kForged / 100) == 0) {
        const std::uint32_t sender = i / (kForged / 100) % kSteady;  // each sends two a second
        if (send_from(192, sender) != 0) steady.insert(sender);
      }
      run_.packets.clear();
    }
  RecordProperty("named_of_300_that_sent_once", static_cast<int>(once));
  RecordProperty("named_of_50_that_sent_twice_a_second", static_cast<int>(steady.size()));
  EXPECT_NEAR(static_cast<double>(once) / kOnce, 1 - 60 / (60 + 4.096), 0.05);
  EXPECT_GE(steady.size(), kSteady * 7 / 10);
}

TEST_F(FindingSample, AnIpv6SenderIsASlash64) {
  const auto from = [](const char* source) {
    return PacketBuilder{}.eth().ipv6({.src = source}).tcp({.dst_port = 9999, .flags = 0});
  };
  EXPECT_EQ(run_.send(from("2001:db8:0:1::1")), 1u);
  EXPECT_EQ(run_.send(from("2001:db8:0:1:ffff::2")), 0u);
  EXPECT_EQ(run_.send(from("2001:db8:0:2::1")), 1u);
}

TEST_F(FindingSample, WithoutSuppressionOnlyTheLimitOfTheCpuHolds) {
  TwinRun run({.slots = 64, .slots_ipv6 = 64, .sample_window = std::chrono::seconds(0)}, tables_);
  std::size_t up = 0;
  for (int i = 0; i < 1000; ++i) up += run.send(null());
  EXPECT_EQ(up, kBudget);
  run.wait(kSecond_ns);
  EXPECT_EQ(run.send(null()), 1u);
}

TEST_F(FindingSample, IsSentWhileOneOfItsFindingsHasASampleLeft) {
  EXPECT_EQ(run_.send(flags(kTcpSyn | kTcpFin)), 1u);
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
