// SPDX-License-Identifier: Apache-2.0
// Which flows a full table loses: under a storm of new flows not those that are answered.
#include <gtest/gtest.h>

#include <cstring>

#include "firstpass/first_pass.hpp"
#include "support/class_tables.hpp"
#include "support/packet_builder.hpp"

namespace nids {
namespace {

// An eighth of 65,536 slots, 10,000 answered connections and 620,000 new flows a second.
constexpr std::uint32_t kSlots = 8'192, kAnswered = 1'250, kNewEachSecond = 77'500;
constexpr std::size_t kSourceAt = 26, kDestinationAt = 30;  // in an Ethernet frame with IPv4

class Eviction : public testing::Test {
 protected:
  void send(Bytes frame, std::uint32_t source, std::size_t source_at = kSourceAt) {
    const std::uint32_t wire = __builtin_bswap32(source);
    std::memcpy(frame.data() + source_at, &wire, sizeof(wire));
    const auto length = static_cast<std::uint32_t>(frame.size());
    pass_.packet({.bytes = frame.data(),
                  .captured_len = length,
                  .wire_len = length,
                  .time_ns = now_ns_,
                  .is_ethernet = 1});
  }
  void call(std::uint32_t source) { send(call_, source); }
  void answer(std::uint32_t source) { send(answer_, source, kDestinationAt); }

  void refuse(std::uint32_t source) { send(refusal_, source, kDestinationAt); }

  // Counts records of flows that both sides had sent packets of.
  void take(std::span<const std::byte> record) {
    nids_flow_event event{};
    ASSERT_GE(record.size(), sizeof(event));
    std::memcpy(&event, record.data(), sizeof(event));
    const auto& packets = event.flow.state.packets;
    (packets[0] != 0 && packets[1] != 0 ? answered_evicted_ : others_evicted_) += 1;
  }

  const Bytes call_ = PacketBuilder{}.eth().ipv4().tcp({.dst_port = 443}).bytes();
  const Bytes answer_ = PacketBuilder{}
                            .eth()
                            .ipv4({.src = "10.0.0.2"})
                            .tcp({.src_port = 443, .dst_port = 40'000})
                            .bytes();
  const Bytes refusal_ = PacketBuilder{}
                             .eth()
                             .ipv4({.src = "10.0.0.2"})
                             .tcp({.src_port = 443, .dst_port = 40'000, .flags = kTcpRst | kTcpAck})
                             .bytes();
  std::uint64_t now_ns_ = 1'000'000'000;
  std::uint64_t answered_evicted_ = 0, others_evicted_ = 0;
  ClassTables tables_{{.name = "any"}};
  FirstPass pass_{{.slots = kSlots, .slots_ipv6 = NIDS_WAYS},
                  tables_.classes,
                  *tables_.ports,
                  [this](auto record) { take(record); }};
};

TEST_F(Eviction, AStormOfNewFlowsLeavesAnsweredConnectionsWhereTheyAre) {
  constexpr std::uint32_t kConnection = 10u << 24, kStorm = 20u << 24;
  for (std::uint32_t i = 0; i < kAnswered; ++i) {
    call(kConnection + i);
    answer(kConnection + i);
  }
  std::uint32_t next = 0;
  for (std::uint32_t i = 0; i < 3 * kNewEachSecond; ++i) {
    now_ns_ += 1'000'000'000 / kNewEachSecond;
    call(kStorm + i);
    // Each connection has a packet a second, by turns from either side.
    for (const std::uint64_t due = std::uint64_t{i} * kAnswered / kNewEachSecond; next < due;
         ++next)
      next / kAnswered % 2 == 0 ? call(kConnection + next % kAnswered)
                                : answer(kConnection + next % kAnswered);
  }
  EXPECT_GT(others_evicted_, 2u * kNewEachSecond);
  EXPECT_LE(answered_evicted_, kAnswered / 100) << "of sets in which more than 8 are";
}

TEST_F(Eviction, WhatWasRefusedOrIsOverGoesBeforeAHandshakeThatWaits) {
  constexpr std::uint32_t kScan = 20u << 24, kSyns = 30u << 24;
  for (std::uint32_t i = 0; i < 8 * kSlots; ++i) {
    call(kScan + i);
    refuse(kScan + i);
    now_ns_ += 10'000;
  }
  others_evicted_ = 0;
  for (std::uint32_t i = 0; i < kSlots / 4; ++i) call(kSyns + i);
  EXPECT_LT(others_evicted_, kSlots / 4 / 50);
}

TEST_F(Eviction, AnsweredConnectionsThatHaveBeenSilentForLongGoFirst) {
  for (std::uint32_t i = 0; i < 8 * kSlots; ++i) {
    call(i);
    answer(i);
  }
  answered_evicted_ = 0;
  now_ns_ += 2 * NIDS_IDLE_NS;
  // As many as the table holds; each is answered after a while, and evicts none of the others.
  for (std::uint32_t i = 0; i < kSlots / 4; ++i) call((50u << 24) + i);
  EXPECT_GT(answered_evicted_, kSlots / 4 * 9 / 10);
  EXPECT_LT(others_evicted_, kSlots / 4 / 10);
}

}  // namespace
}  // namespace nids
