// SPDX-License-Identifier: Apache-2.0
// What a slot goes through that no test can wait for: counts that are full, ticks and generations
// that wrap. The tables are the test's own, so that it can set them there.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <memory>
#include <set>
#include <vector>

#include "firstpass/first_pass.hpp"
#include "support/class_tables.hpp"
#include "support/packet_builder.hpp"
#include "support/ring_records.hpp"

namespace nids {
namespace {

constexpr std::uint32_t kFull = 1u << 31;
constexpr std::uint64_t kTick_ns = 1'000'000;
constexpr std::uint64_t kMinute_ticks = 60'000;

class Slot : public testing::Test {
 protected:
  Slot() {
    twin_->sets4 = &set4_;
    twin_->sets6 = &set6_;
    twin_->cells = cells_.data();
    twin_->set4_count = twin_->set6_count = 1;
    twin_->cell_bits = static_cast<std::uint32_t>(std::bit_width(cells_.size()) - 1);
    twin_->features = NIDS_FEATURES_ALL;
    twin_->snap_bytes = twin_->sample_bytes = 256;
    twin_->tick_ns = kTick_ns;
    std::ranges::copy(hash_keys_of(1), twin_->hash_keys);
    std::ranges::copy(tables_.classes, twin_->classes);
    twin_->ports = *tables_.ports;
    twin_->context = &records_;
    twin_->sink = [](void* context, const void* record, std::size_t bytes) {
      static_cast<RingRecords*>(context)->take({static_cast<const std::byte*>(record), bytes});
    };
  }

  void send(const PacketBuilder& builder) {
    const Bytes frame = builder.bytes();
    const auto length = static_cast<std::uint32_t>(frame.size());
    const nids_twin_frame facts{.bytes = frame.data(),
                                .captured_len = length,
                                .wire_len = length,
                                .time_ns = ticks_ * kTick_ns,
                                .l3_offset = 0,
                                .ether_type = 0,
                                .is_ethernet = 1};
    nids_twin_packet(twin_.get(), &facts);
  }
  void udp(std::uint16_t port) {
    send(PacketBuilder{}.eth().ipv4().udp({.src_port = port, .dst_port = 9}));
  }
  void tcp(std::uint16_t dst_port = 9, std::uint8_t flags = kTcpAck) {
    send(PacketBuilder{}.eth().ipv4().tcp({.dst_port = dst_port, .flags = flags}));
  }

  // As if so many packets of 54 bytes had been seen; the ledger is told too.
  void pretend(nids_flow_state& state, std::uint32_t packets) {
    const std::uint64_t more = packets - state.packets[0];
    for (nids_sum* sum : {&counters().seen[NIDS_INGRESS], &counters().live}) {
      sum->packets += more;
      sum->bytes += more * 54;
    }
    state.packets[0] = packets;
    state.bytes[0] += more * 54;
  }

  // Of the oldest flow. Which way it has, its hash says.
  nids_flow_state& slot() {
    nids_flow4* oldest = nullptr;
    for (nids_flow4& one : set4_.way)
      if (one.state.generation != 0 &&
          (!oldest || one.state.created_ticks < oldest->state.created_ticks))
        oldest = &one;
    if (!oldest) ADD_FAILURE() << "no slot is in use";
    return oldest ? oldest->state : set4_.way[0].state;
  }
  std::ptrdiff_t slots_in_use() const {
    return std::ranges::count_if(set4_.way,
                                 [](const auto& one) { return one.state.generation != 0; });
  }
  nids_counters& counters() { return twin_->counters; }

  ClassTables tables_{
      {.name = "inspected", .tcp = {22}, .interest = NIDS_INTEREST_INSPECT, .depth_bytes = 1000},
  };
  nids_flow4_set set4_{};
  nids_flow6_set set6_{};
  std::vector<nids_flow_cell> cells_{std::vector<nids_flow_cell>(64)};
  RingRecords records_;
  std::unique_ptr<nids_twin> twin_ = std::make_unique<nids_twin>();
  std::uint64_t ticks_ = 1000;
};

TEST_F(Slot, FullCountGoesUpAndTheFlowGoesOn) {
  tcp(9, kTcpSyn);
  pretend(slot(), kFull);
  ticks_ += 7;
  tcp();

  ASSERT_EQ(records_.flows.size(), 1u);
  EXPECT_EQ(records_.flows[0].cause, NIDS_EXPORT_FULL);
  EXPECT_EQ(records_.flows[0].flow.state.packets[0], kFull);
  EXPECT_EQ(records_.flows[0].flow.state.bytes[0], kFull * 54ull);
  EXPECT_EQ(records_.flows[0].flow.state.flags & NIDS_FLOW_CONTINUES, 0);
  EXPECT_EQ(records_.flows[0].flow.history, 1u);

  EXPECT_EQ(slot().packets[0], 1u);
  EXPECT_EQ(slot().bytes[0], 54u);
  EXPECT_NE(slot().flags & NIDS_FLOW_CONTINUES, 0);
  EXPECT_EQ(slot().generation, 1u) << "the same flow: its commands hold";
  EXPECT_EQ(slot().created_ticks, 1000u);
  EXPECT_EQ(slot().tcp_flags[0], kTcpSyn | kTcpAck);
  EXPECT_EQ(counters().flows_created, 1u);
  EXPECT_EQ(counters().flows_exported, 0u);
  EXPECT_EQ(counters().exported.packets, kFull);
  EXPECT_EQ(counters().live.packets, 1u);
  expect_balance(counters());

  tcp();
  EXPECT_EQ(records_.flows.size(), 1u);
}

TEST_F(Slot, CountThatIsNotFullGoesOn) {
  tcp();
  pretend(slot(), kFull - 1);
  tcp();
  EXPECT_TRUE(records_.flows.empty());
  EXPECT_EQ(slot().packets[0], kFull);
}

TEST_F(Slot, FullCountOfTheOtherDirectionIsLeftUntilItSpeaks) {
  tcp();
  pretend(slot(), kFull);
  send(PacketBuilder{}
           .eth()
           .ipv4({.src = "10.0.0.2", .dst = "10.0.0.1"})
           .tcp({.src_port = 9, .dst_port = 40'000}));
  EXPECT_TRUE(records_.flows.empty());
  tcp();
  ASSERT_EQ(records_.flows.size(), 1u);
  EXPECT_EQ(records_.flows[0].flow.state.packets[1], 1u);
  expect_balance(counters());
}

TEST_F(Slot, FlowThatWentOnIsBeyondItsDepth) {
  tcp(22, kTcpSyn);
  ASSERT_EQ(records_.packets.size(), 1u);
  pretend(slot(), kFull);
  tcp(22);
  EXPECT_EQ(records_.packets.size(), 1u) << "its bytes begin anew, and its depth does not";
  EXPECT_EQ(counters().beyond_depth.packets, 1u);
}

TEST_F(Slot, TicksMayWrapAndTheOneIdleLongestStillGoes) {
  ticks_ = 0xffffffff - 3;  // within the first half of the flows
  for (std::uint16_t port = 1; port <= NIDS_WAYS; ++port, ++ticks_) udp(port);
  udp(1);  // so that 2 is idle longest
  EXPECT_TRUE(records_.flows.empty());
  ++ticks_;
  udp(100);
  ASSERT_EQ(records_.flows.size(), 1u);
  EXPECT_EQ(records_.flows[0].flow.key.hi_port + records_.flows[0].flow.key.lo_port, 2 + 9);
  EXPECT_EQ(records_.flows[0].flow.state.last_ticks, 0xfffffffdu);
  EXPECT_EQ(records_.flows[0].now_ticks, static_cast<std::uint32_t>(ticks_));
  expect_balance(counters());
}

TEST_F(Slot, TheOneIdleForAnyTimeUpTo49DaysGoesFirst) {
  for (const std::uint64_t days : {1u, 24u, 25u, 30u, 48u}) {
    SCOPED_TRACE(days);
    set4_ = {};
    for (std::uint16_t port = 1; port <= NIDS_WAYS; ++port) udp(port);
    ticks_ += days * 24 * 60 * kMinute_ticks;
    for (nids_flow4& one : set4_.way)
      if (one.key.lo_port != 3 && one.key.hi_port != 3)
        one.state.last_ticks = static_cast<std::uint32_t>(ticks_);
    records_.clear();
    udp(100);
    ASSERT_EQ(records_.flows.size(), 1u);
    EXPECT_EQ(records_.flows[0].flow.key.hi_port + records_.flows[0].flow.key.lo_port, 3 + 9);
  }
}

TEST_F(Slot, SilenceOf30DaysBeginsTheFlowAgain) {
  udp(1);
  ticks_ += 30ull * 24 * 60 * kMinute_ticks;
  udp(1);
  ASSERT_EQ(records_.flows.size(), 1u);
  EXPECT_EQ(records_.flows[0].cause, NIDS_EXPORT_ENDED);
}

TEST_F(Slot, PacketOfAnHourBeforeIsOfNow) {
  ticks_ = 100 * kMinute_ticks;
  udp(1);
  ticks_ -= 60 * kMinute_ticks;
  udp(1);
  EXPECT_TRUE(records_.flows.empty());
  EXPECT_EQ(slot().packets[0], 2u);
}

TEST_F(Slot, SilenceIsMeasuredAcrossTheWrap) {
  ticks_ = 0xffffffff - 10;
  udp(1);
  ticks_ += kMinute_ticks;
  udp(1);
  EXPECT_TRUE(records_.flows.empty()) << "a minute, not more";
  ticks_ = 0x1'ffffffff - 10;
  slot().last_ticks = static_cast<std::uint32_t>(ticks_);
  ticks_ += kMinute_ticks + 1;
  udp(1);
  ASSERT_EQ(records_.flows.size(), 1u);
  EXPECT_EQ(records_.flows[0].cause, NIDS_EXPORT_ENDED);
}

TEST_F(Slot, GenerationWrapsToOneAndNeverToNothing) {
  for (std::uint16_t port = 1; port <= NIDS_WAYS; ++port) udp(port), ++ticks_;
  nids_flow_state& first = slot();
  first.generation = NIDS_GENERATION_MAX;
  first.command = NIDS_GENERATION_MAX << NIDS_COMMAND_BITS | NIDS_INTEREST_CAPTURE;
  udp(1);
  ASSERT_EQ(records_.packets.size(), 1u) << "the last generation's command is obeyed";
  EXPECT_EQ(records_.packets[0].head.slot.generation, NIDS_GENERATION_MAX);

  for (std::uint16_t port = 101; port <= 100 + NIDS_WAYS; ++port) ++ticks_, udp(port);
  EXPECT_EQ(first.generation, 1u);
  EXPECT_EQ(records_.packets.size(), 1u) << "and does not hold for the flow that came later";
  expect_balance(counters());
}

TEST_F(Slot, CommandOfAnotherGenerationIsNotObeyed) {
  udp(1);
  for (const std::uint32_t generation : {0u, 2u, NIDS_GENERATION_MAX}) {
    slot().command = generation << NIDS_COMMAND_BITS | NIDS_INTEREST_CAPTURE;
    udp(1);
    EXPECT_TRUE(records_.packets.empty()) << generation;
  }
  slot().command = 1u << NIDS_COMMAND_BITS | NIDS_INTEREST_CAPTURE;
  udp(1);
  EXPECT_EQ(records_.packets.size(), 1u);
}

TEST_F(Slot, CommandThatIsNoneSendsNothingUp) {
  udp(1);
  for (std::uint32_t interest = NIDS_INTEREST_KINDS; interest <= NIDS_COMMAND_NONE; ++interest)
    for (const std::uint32_t reported : {0, NIDS_COMMAND_REPORTED}) {
      slot().command = 1u << NIDS_COMMAND_BITS | reported | interest;
      udp(1);
    }
  EXPECT_TRUE(records_.packets.empty());
  EXPECT_EQ(slot().packets[0], 1u + 2 * (NIDS_COMMAND_NONE + 1 - NIDS_INTEREST_KINDS));
}

TEST_F(Slot, CommandIsObeyedWhetherItsFlowWasReportedOrNot) {
  udp(1);
  slot().command = 1u << NIDS_COMMAND_BITS | NIDS_COMMAND_REPORTED | NIDS_INTEREST_CAPTURE;
  udp(1);
  EXPECT_EQ(records_.packets.size(), 1u);
}

TEST_F(Slot, FlowWhoseKeyIsAllZeroIsAFlow) {
  const auto zero = [] {
    return PacketBuilder{}.eth().ipv4(
        {.src = "0.0.0.0", .dst = "0.0.0.0", .protocol = kProtoHopByHop});
  };
  send(zero());
  send(zero());
  EXPECT_EQ(counters().flows_created, 1u);
  EXPECT_EQ(slot().packets[0], 2u);
  EXPECT_EQ(slots_in_use(), 1);
  nids_flow_key key{};
  const nids_flow_tunnel none{};
  key.ip_version = 4;
  EXPECT_EQ(nids_twin_command(twin_.get(), &key, &none, 0, NIDS_INTEREST_COUNT), 1u);
}

TEST_F(Slot, FlowsBeginInAnyWayOfTheirSetAndAreFoundThere) {
  std::set<std::ptrdiff_t> ways;
  for (std::uint16_t port = 1; port <= 100; ++port) {
    set4_ = {};
    udp(port);
    udp(port);
    ASSERT_EQ(slots_in_use(), 1);
    EXPECT_EQ(slot().packets[0] + slot().packets[1], 2u);
    ways.insert(
        std::ranges::find(set4_.way, 1u, [](const auto& one) { return one.state.generation; }) -
        set4_.way);
  }
  EXPECT_EQ(ways.size(), std::size_t{NIDS_WAYS});
}

TEST_F(Slot, ASetIsFilledBeforeAnyFlowIsReplaced) {
  for (int round = 0; round < 2; ++round)
    for (std::uint16_t port = 1; port <= NIDS_WAYS; ++port, ++ticks_) udp(port);
  EXPECT_EQ(slots_in_use(), NIDS_WAYS);
  EXPECT_EQ(counters().flows_created, std::uint64_t{NIDS_WAYS});
  EXPECT_TRUE(records_.flows.empty());
}

TEST_F(Slot, Ipv4AndIpv6HaveTablesOfTheirOwn) {
  for (std::uint16_t port = 1; port <= NIDS_WAYS; ++port) {
    udp(port);
    send(PacketBuilder{}.eth().ipv6().udp({.src_port = port, .dst_port = 9}));
  }
  EXPECT_TRUE(records_.flows.empty());
  send(PacketBuilder{}.eth().ipv6().udp({.src_port = 100, .dst_port = 9}));
  ASSERT_EQ(records_.flows.size(), 1u);
  EXPECT_EQ(records_.flows[0].flow.key.ip_version, 6);
  expect_balance(counters());
}

}  // namespace
}  // namespace nids
