// SPDX-License-Identifier: Apache-2.0
// A slot counts packets in 32 bits. Before a count is full it goes up, and the flow goes on in its
// slot, with nothing lost, whether or not the ring has room.
#include "support/first_pass_program.hpp"

namespace nids {
namespace {

constexpr std::uint32_t kFull = 1u << 31;
constexpr std::uint64_t kFullBytes = 54ull * kFull;

class FullCount : public FirstPassProgram {
 protected:
  // As if 2^31 packets of 54 bytes had come: in the slot, and in the sums that know of them.
  template <class Set>
  void fill_count(std::span<Set> sets, nids_sender sender) {
    for (Set& set : sets)
      for (auto& slot : set.way) {
        if (slot.state.generation == 0) continue;
        slot.state.packets[sender] += kFull;
        slot.state.bytes[sender] += kFullBytes;
        nids_counters& counters = program().counters_of(cpu());
        for (nids_sum* sum : {&counters.live, &counters.seen[NIDS_INGRESS]}) {
          sum->packets += kFull;
          sum->bytes += kFullBytes;
        }
      }
  }

  static PacketBuilder packet(std::uint16_t port, bool is_reply = false) {
    return PacketBuilder{}
        .eth()
        .ipv4(
            {.src = is_reply ? "10.0.0.2" : "10.0.0.1", .dst = is_reply ? "10.0.0.1" : "10.0.0.2"})
        .tcp({.src_port = is_reply ? port : std::uint16_t{40'000},
              .dst_port = is_reply ? std::uint16_t{40'000} : port});
  }

  void expect_export_of(std::uint64_t packets, std::uint64_t bytes) {
    ASSERT_EQ(drained().flows.size(), 1u);
    EXPECT_EQ(records_.flows[0].cause, NIDS_EXPORT_FULL);
    EXPECT_EQ(records_.exported().packets, packets);
    EXPECT_EQ(records_.exported().bytes, bytes);
    EXPECT_EQ(program().counters().exported.packets, packets);
    EXPECT_EQ(program().counters().exported.bytes, bytes);
  }
};

TEST_F(FullCount, GoesUpAndTheFlowGoesOn) {
  for (const std::uint16_t port : {9, 22}) {  // with no class and with one: two ways to count
    SCOPED_TRACE(port);
    program().clear_tables();
    drained();
    ingress(packet(port));
    fill_count(program().flows4(), NIDS_FROM_LO);
    expect_ledger();
    ingress(packet(port));
    ingress(packet(port));
    expect_export_of(kFull + 1ull, kFullBytes + 54);
    const nids_counters counters = program().counters();
    EXPECT_EQ(counters.live.packets, 2u);
    EXPECT_EQ(counters.live.bytes, 2u * 54);
    EXPECT_EQ(counters.flows_created, 1u);
    EXPECT_EQ(counters.flows_exported, 0u) << "it has not left the table";
    EXPECT_EQ(counters.unaccounted.packets, 0u);
    expect_ledger();
    drained();
  }
}

TEST_F(FullCount, OfEitherSenderGoesUpWithBothCounts) {
  ingress(packet(9));
  ingress(packet(9, true));
  fill_count(program().flows4(), NIDS_FROM_HI);
  ingress(packet(9));  // its own count has room
  EXPECT_TRUE(drained().flows.empty());
  ingress(packet(9, true));
  expect_export_of(kFull + 3ull, kFullBytes + 3 * 54);
  const nids_flow_state& state = records_.flows[0].flow.state;
  EXPECT_EQ(state.packets[NIDS_FROM_LO], 2u);
  EXPECT_EQ(state.packets[NIDS_FROM_HI], kFull + 1u);
  EXPECT_EQ(program().counters().live.packets, 1u);
  expect_ledger();
}

TEST_F(FullCount, OfAFlowOfIpv6GoesUpToo) {
  const PacketBuilder frame = PacketBuilder{}.eth().ipv6().tcp({.dst_port = 9});
  ingress(frame);
  fill_count(program().flows6(), NIDS_FROM_LO);
  ingress(frame);
  expect_export_of(kFull + 1ull, kFullBytes + 74);
  EXPECT_EQ(records_.flows[0].flow.key.ip_version, 6);
  EXPECT_EQ(program().counters().live.packets, 1u);
  expect_ledger();
}

TEST_F(FullCount, LaterPartsSayThatTheyContinueAndBeginNoNewDepth) {
  ingress(packet(7070));
  EXPECT_EQ(drained().packets.size(), 1u);
  fill_count(program().flows4(), NIDS_FROM_LO);
  ingress(packet(7070));
  EXPECT_TRUE(drained().packets.empty()) << "beyond its depth, although the bytes begin anew";
  EXPECT_EQ(program().counters().beyond_depth.packets, 1u);
  EXPECT_EQ(records_.flows[0].flow.state.flags & NIDS_FLOW_CONTINUES, 0);
  fill_count(program().flows4(), NIDS_FROM_LO);
  ingress(packet(7070));
  ASSERT_EQ(drained().flows.size(), 1u);
  EXPECT_NE(records_.flows[0].flow.state.flags & NIDS_FLOW_CONTINUES, 0);
  EXPECT_EQ(program().counters().flows_created, 1u);
  expect_ledger();
}

TEST_F(FullCount, StaysInItsSlotWhileTheRingIsFull) {
  reload({.ring_bytes = 4096});
  ingress(packet(9));
  fill_count(program().flows4(), NIDS_FROM_LO);
  const std::uint64_t before = program().counters().live.packets;
  fill_ring();  // what is left has no room for the record of a flow either
  ingress(packet(9));
  const nids_counters counters = program().counters();
  EXPECT_EQ(counters.unaccounted.packets, 1u);
  EXPECT_EQ(counters.unaccounted.bytes, 54u);
  EXPECT_EQ(counters.exported.packets, 0u);
  EXPECT_GE(counters.live.packets, before);
  expect_ledger();

  drained();
  ingress(packet(9));
  expect_export_of(kFull + 1ull, kFullBytes + 54);
  EXPECT_EQ(program().counters().unaccounted.packets, 1u);
  expect_ledger();
}

}  // namespace
}  // namespace nids
