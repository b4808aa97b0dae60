// SPDX-License-Identifier: Apache-2.0
// What goes up of a flow: by the interest in its class, by the agent's word on it, and by what the
// first pass was made with.
#include <gtest/gtest.h>

#include <optional>
#include <random>

#include "support/twin_run.hpp"

namespace nids {
namespace {

enum Port : std::uint16_t {
  kIdentified = 21,
  kInspected,
  kCaptured,
  kBypassed,
  kCounted,
  kHeaders,
  kNone
};

class Interest : public testing::Test {
 protected:
  std::size_t there(std::uint16_t port, std::size_t payload, std::uint8_t flags = kTcpAck) {
    return run_.send(PacketBuilder{}
                         .eth()
                         .ipv4()
                         .tcp({.dst_port = port, .flags = flags})
                         .payload_bytes(payload));
  }
  std::size_t back(std::uint16_t port, std::size_t payload) {
    return run_.send(PacketBuilder{}
                         .eth()
                         .ipv4({.src = "10.0.0.2", .dst = "10.0.0.1"})
                         .tcp({.src_port = port, .dst_port = 40'000})
                         .payload_bytes(payload));
  }

  ClassTables tables_{
      {.name = "identified",
       .tcp = {kIdentified},
       .interest = NIDS_INTEREST_IDENTIFY,
       .identify_packets = 3},
      {.name = "inspected",
       .tcp = {kInspected},
       .interest = NIDS_INTEREST_INSPECT,
       .depth_bytes = 500},
      {.name = "captured", .tcp = {kCaptured}, .depth_bytes = 1},
      {.name = "bypassed", .tcp = {kBypassed}, .interest = NIDS_INTEREST_BYPASS},
      {.name = "counted", .tcp = {kCounted}, .interest = NIDS_INTEREST_COUNT},
      {.name = "headers", .tcp = {kHeaders}, .interest = NIDS_INTEREST_HEADERS},
  };
  static constexpr FirstPass::Setup kSetup{
      .slots = NIDS_WAYS, .slots_ipv6 = NIDS_WAYS, .snap_bytes = 2000, .sample_bytes = 100};
  TwinRun run_{kSetup, tables_};
};

TEST_F(Interest, IdentifySendsTheFirstPacketsWithPayloadShortened) {
  EXPECT_EQ(there(kIdentified, 0, kTcpSyn), 0u);
  EXPECT_EQ(there(kIdentified, 400), 1u);
  EXPECT_EQ(there(kIdentified, 0), 0u);
  EXPECT_EQ(back(kIdentified, 400), 1u) << "both directions count together";
  EXPECT_EQ(there(kIdentified, 1), 1u);
  EXPECT_EQ(there(kIdentified, 400), 0u);
  EXPECT_EQ(back(kIdentified, 400), 0u);

  ASSERT_EQ(run_.packets.size(), 3u);
  for (const Packet& packet : run_.packets) EXPECT_EQ(packet.reason, NIDS_REASON_IDENTIFY);
  EXPECT_EQ(run_.packets[0].bytes.size(), 100u);
  EXPECT_EQ(run_.packets[0].wire_len, 454u);
  EXPECT_EQ(run_.packets[2].bytes.size(), 55u);
  EXPECT_EQ(run_.counters().beyond_depth.packets, 0u);
}

TEST_F(Interest, IdentifyBeginsAnewWithANewFlow) {
  for (int i = 0; i < 5; ++i) there(kIdentified, 10);
  there(kIdentified, 0, kTcpFin);
  there(kIdentified, 0, kTcpSyn);
  EXPECT_EQ(there(kIdentified, 10), 1u);
}

TEST_F(Interest, InspectSendsWholePacketsUpToTheDepthInEachDirection) {
  EXPECT_EQ(there(kInspected, 400), 1u);
  EXPECT_EQ(there(kInspected, 1400), 1u) << "it begins at 454";
  EXPECT_EQ(there(kInspected, 0), 0u);
  EXPECT_EQ(back(kInspected, 1400), 1u);
  EXPECT_EQ(back(kInspected, 1400), 0u);
  ASSERT_EQ(run_.packets.size(), 3u);
  for (const Packet& packet : run_.packets) EXPECT_EQ(packet.reason, NIDS_REASON_INSPECT);
  EXPECT_EQ(run_.packets[1].bytes.size(), 1454u);
  EXPECT_EQ(run_.counters().beyond_depth.packets, 2u);
  EXPECT_EQ(run_.counters().beyond_depth.bytes, 54u + 1454u);
}

TEST_F(Interest, CaptureSendsAllWholeWhateverTheDepth) {
  for (int i = 0; i < 20; ++i) EXPECT_EQ(there(kCaptured, 1400), 1u);
  EXPECT_EQ(run_.packets.back().reason, NIDS_REASON_CAPTURE);
  EXPECT_EQ(run_.packets.back().bytes.size(), 1454u);
  EXPECT_EQ(there(kCaptured, 3000), 1u);
  EXPECT_EQ(run_.packets.back().bytes.size(), 2000u) << "no more than the snap";
  EXPECT_EQ(run_.counters().beyond_depth.packets, 0u);
}

TEST_F(Interest, HeadersSendsTheHeadersOfAllWhateverTheDepth) {
  for (const std::size_t payload : {0, 1, 3000}) EXPECT_EQ(there(kHeaders, payload), 1u);
  EXPECT_EQ(back(kHeaders, 1400), 1u);
  for (const Packet& packet : run_.packets) {
    EXPECT_EQ(packet.reason, NIDS_REASON_HEADERS);
    EXPECT_EQ(packet.bytes.size(), 54u);
    EXPECT_TRUE(packet.payload().empty());
  }
  EXPECT_EQ(run_.packets[2].wire_len, 3054u);
  EXPECT_EQ(run_.counters().beyond_depth.packets, 0u);
}

TEST_F(Interest, StopEndsWhatOneEndSends) {
  for (const Port port : {kCaptured, kHeaders}) {
    there(port, 10);
    ASSERT_EQ(run_.command(run_.packets.back(), NIDS_COMMAND_NONE | NIDS_COMMAND_STOP_HI), 1u);
    EXPECT_EQ(there(port, 10), 1u);
    EXPECT_EQ(back(port, 10), 0u);
    ASSERT_EQ(run_.command(run_.packets.back(), NIDS_COMMAND_NONE), 1u);
    EXPECT_EQ(back(port, 10), 1u);
  }
  EXPECT_EQ(run_.counters().beyond_depth.packets, 2u);
  EXPECT_EQ(run_.counters().beyond_depth.bytes, 128u);
  there(kIdentified, 10);
  run_.command(run_.packets.back(), NIDS_COMMAND_NONE | NIDS_COMMAND_STOP_LO);
  EXPECT_EQ(there(kIdentified, 10), 0u);
  EXPECT_EQ(run_.counters().beyond_depth.packets, 2u) << "what need not be identified is no loss";
}

TEST_F(Interest, CountAndBypassSendNothing) {
  for (const Port port : {kBypassed, kCounted, kNone}) EXPECT_EQ(there(port, 100, kTcpSyn), 0u);
  EXPECT_EQ(run_.counters().classes[4].packets, 1u);
  EXPECT_EQ(run_.counters().classes[5].packets, 1u);
  EXPECT_EQ(run_.counters().ring_offered.packets, 0u);
}

TEST_F(Interest, FlowsOfNoClassMayBeOfInterestToo) {
  tables_.classes[0].interest = NIDS_INTEREST_IDENTIFY;
  tables_.classes[0].identify_packets = 1;
  TwinRun run(kSetup, tables_);
  const auto query = [&run](std::uint16_t port) {
    return run.send(PacketBuilder{}.eth().ipv4().udp({.src_port = port}).payload("?"));
  };
  EXPECT_EQ(query(1), 1u);
  EXPECT_EQ(query(1), 0u);
  EXPECT_EQ(query(2), 1u);
  EXPECT_EQ(run.packets[0].class_id, 0);
  EXPECT_EQ(run.packets[0].slot.generation, 1u);
}

TEST_F(Interest, CommandIsObeyedInPlaceOfTheClass) {
  there(kIdentified, 10);
  ASSERT_EQ(run_.command(run_.packets[0], NIDS_INTEREST_CAPTURE), 1u);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(back(kIdentified, 1000), 1u);
  EXPECT_EQ(run_.packets.back().reason, NIDS_REASON_CAPTURE);
  EXPECT_EQ(run_.packets.back().bytes.size(), 1054u);

  ASSERT_EQ(run_.command(run_.packets[0], NIDS_INTEREST_BYPASS), 1u);
  EXPECT_EQ(there(kIdentified, 10, 0), 0u) << "nor a sample of its finding";
  EXPECT_EQ(run_.counters().findings[NIDS_FINDING_NULL], 1u);

  ASSERT_EQ(run_.command(run_.packets[0], NIDS_INTEREST_COUNT), 1u);
  EXPECT_EQ(there(kIdentified, 10), 0u);
  EXPECT_EQ(there(kIdentified, 10, 0), 1u) << "counting does not hide a finding";

  ASSERT_EQ(run_.command(run_.packets[0], NIDS_INTEREST_IDENTIFY), 1u);
  EXPECT_EQ(there(kIdentified, 10), 1u) << "the second of its three";
}

TEST_F(Interest, CommandReachesOnlyItsFlow) {
  there(kIdentified, 10);
  there(kCounted, 10);
  ASSERT_EQ(run_.command(run_.packets[0], NIDS_INTEREST_CAPTURE), 1u);
  EXPECT_EQ(there(kCounted, 10), 0u);

  OwnedPacket stranger = run_.packets[0];
  stranger.headers.src_port = 1;
  EXPECT_EQ(run_.command(stranger, NIDS_INTEREST_CAPTURE), 0u);
  stranger = run_.packets[0];
  stranger.slot.set = 1;  // the table has one set
  EXPECT_EQ(run_.command(stranger, NIDS_INTEREST_COUNT), 0u);
}

TEST_F(Interest, CommandIsForgottenWithItsFlow) {
  there(kIdentified, 10);
  ASSERT_EQ(run_.command(run_.packets[0], NIDS_INTEREST_CAPTURE), 1u);
  there(kIdentified, 0, kTcpFin);
  run_.packets.clear();
  EXPECT_EQ(there(kIdentified, 0, kTcpSyn), 0u) << "the same ends in the same slot, anew";

  there(kIdentified, 10);
  ASSERT_EQ(run_.command(run_.packets[0], NIDS_INTEREST_CAPTURE), 1u);
  for (std::uint16_t port = 1; port <= 2 * NIDS_WAYS; ++port) {
    run_.wait(kMillisecond_ns);
    EXPECT_EQ(run_.send(PacketBuilder{}.eth().ipv4().udp({.src_port = port, .dst_port = 9})), 0u);
  }
}

TEST_F(Interest, CommandOnAnIpv6FlowIsObeyedToo) {
  const auto syn = [] { return PacketBuilder{}.eth().ipv6().tcp({.dst_port = kCaptured}); };
  ASSERT_EQ(run_.send(syn()), 1u);
  ASSERT_EQ(run_.command(run_.packets[0], NIDS_INTEREST_COUNT), 1u);
  EXPECT_EQ(run_.send(syn()), 0u);
}

// The same traffic, whatever is compiled out: the accounts are the same.
class EveryFeatureSet : public Interest {
 protected:
  struct Account {
    nids_counters counters;
    std::vector<nids_reason> reasons;
  };

  Account account(std::uint32_t features) const {
    FirstPass::Setup setup = kSetup;
    setup.features = features;
    TwinRun run(setup, tables_);
    std::mt19937 random(7);
    for (int i = 0; i < 400; ++i) {
      const auto port = static_cast<std::uint16_t>(kIdentified + random() % 8);
      const auto client = static_cast<std::uint16_t>(random() % 4);
      static constexpr std::uint8_t kFlags[] = {kTcpAck, kTcpSyn, 0, kTcpFin | kTcpAck, kTcpRst};
      const bool is_back = random() % 2 == 0;
      PacketBuilder builder;
      builder.eth();
      if (random() % 8 == 0) builder.ipv4().gre();
      builder.ipv4(
          {.src = is_back ? "10.0.0.2" : "10.0.0.1",
           .dst = is_back ? "10.0.0.1" : "10.0.0.2",
           .total_len = random() % 16 == 0 ? std::optional<std::uint16_t>(9000) : std::nullopt});
      builder.tcp({.src_port = is_back ? port : client,
                   .dst_port = is_back ? client : port,
                   .flags = kFlags[random() % std::size(kFlags)]});
      builder.payload_bytes(random() % 3 * 100);
      run.send(builder);
      run.wait(kMillisecond_ns);
      if (i % 50 == 49 && !run.packets.empty())
        run.command(run.packets.back(), static_cast<std::uint8_t>(i / 50 % NIDS_INTEREST_KINDS));
    }
    Account result{run.counters(), {}};
    for (const Packet& packet : run.packets) result.reasons.push_back(packet.reason);
    return result;
  }
};

void expect_equal(const nids_sum& a, const nids_sum& b) {
  EXPECT_EQ(a.packets, b.packets);
  EXPECT_EQ(a.bytes, b.bytes);
}

TEST_F(EveryFeatureSet, HasTheSameLedger) {
  const Account all = account(NIDS_FEATURES_ALL & ~NIDS_FEATURE_UNCLASSIFIED);
  for (std::uint32_t features = 0; features <= NIDS_FEATURES_ALL; ++features) {
    SCOPED_TRACE(features);
    const Account some = account(features);
    expect_equal(some.counters.seen[NIDS_INGRESS], all.counters.seen[NIDS_INGRESS]);
    expect_equal(some.counters.live, all.counters.live);
    expect_equal(some.counters.exported, all.counters.exported);
    expect_equal(some.counters.no_flow, all.counters.no_flow);
    expect_equal(some.counters.unaccounted, all.counters.unaccounted);
    EXPECT_EQ(some.counters.flows_created, all.counters.flows_created);
    for (std::size_t i = 0; i < NIDS_CLASS_MAX; ++i) {
      EXPECT_EQ(some.counters.classes[i].packets, all.counters.classes[i].packets);
      EXPECT_EQ(some.counters.classes[i].flows, all.counters.classes[i].flows);
    }
    const auto is_there = [features](std::uint32_t feature) { return (features & feature) != 0; };
    for (const nids_reason reason : some.reasons) {
      const std::uint32_t needed = reason == NIDS_REASON_CAPTURE    ? NIDS_FEATURE_CAPTURE
                                   : reason == NIDS_REASON_INSPECT  ? NIDS_FEATURE_INSPECT
                                   : reason == NIDS_REASON_IDENTIFY ? NIDS_FEATURE_IDENTIFY
                                   : reason == NIDS_REASON_HEADERS  ? NIDS_FEATURE_HEADERS
                                   : reason == NIDS_REASON_HANDSHAKE
                                       ? NIDS_FEATURE_CAPTURE | NIDS_FEATURE_INSPECT |
                                             NIDS_FEATURE_IDENTIFY | NIDS_FEATURE_HEADERS
                                       : NIDS_FEATURE_FINDINGS;
      ASSERT_TRUE(is_there(needed)) << reason;
    }
    EXPECT_EQ(some.counters.findings[NIDS_FINDING_NULL] != 0, is_there(NIDS_FEATURE_FINDINGS));
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace nids
