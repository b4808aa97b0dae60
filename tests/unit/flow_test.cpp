// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <random>

#include "firstpass/first_pass.hpp"
#include "support/class_tables.hpp"
#include "support/packet_builder.hpp"
#include "support/ring_records.hpp"

namespace nids {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;

enum Class : std::uint8_t { kNone, kSsh, kShallow };

class Flow : public testing::Test {
 protected:
  Flow() { restart({.slots = 64}); }

  void restart(const FirstPass::Setup& setup) {
    pass_ = std::make_unique<FirstPass>(setup, tables_.classes, *tables_.ports,
                                        [this](auto record) { records_.take(record); });
    records_.clear();
  }

  void send_bytes(const Bytes& frame, std::size_t wire_len) {
    pass_->packet({.bytes = frame.data(),
                   .captured_len = static_cast<std::uint32_t>(frame.size()),
                   .wire_len = static_cast<std::uint32_t>(wire_len),
                   .time_ns = now_ns_,
                   .is_ethernet = 1});
    now_ns_ += kMillisecond;
  }

  void send(const PacketBuilder& builder) {
    const Bytes frame = builder.bytes();
    send_bytes(frame, frame.size());
  }

  void udp(const std::string& src, const std::string& dst, std::size_t payload_bytes = 0) {
    send(PacketBuilder{}
             .eth()
             .ipv4({.src = src, .dst = dst})
             .udp({.src_port = 1000, .dst_port = 1000})
             .payload_bytes(payload_bytes));
  }

  const nids_counters& counters() const { return pass_->counters(); }

  void expect_live_is_what_the_slots_hold() const {
    const nids_sum scanned = pass_->live_by_scan();
    EXPECT_EQ(counters().live.packets, scanned.packets);
    EXPECT_EQ(counters().live.bytes, scanned.bytes);
  }

  ClassTables tables_{
      {.name = "ssh", .tcp = {22}},
      {.name = "shallow", .tcp = {7070}, .interest = NIDS_INTEREST_INSPECT, .depth_bytes = 200},
  };
  std::unique_ptr<FirstPass> pass_;
  RingRecords records_;
  std::uint64_t now_ns_ = kMillisecond;
};

TEST_F(Flow, BothDirectionsAreOneFlow) {
  const Ipv4Fields there{.src = "10.0.0.9", .dst = "10.0.0.1"};
  const Ipv4Fields back{.src = "10.0.0.1", .dst = "10.0.0.9"};
  send(PacketBuilder{}.eth().ipv4(there).tcp(
      {.src_port = 50'000, .dst_port = 80, .flags = kTcpSyn}));
  send(PacketBuilder{}.eth().ipv4(back).tcp({.src_port = 80, .dst_port = 50'000}).payload("data"));
  EXPECT_EQ(counters().flows_created, 1u);
  EXPECT_EQ(counters().live.packets, 2u);
  EXPECT_EQ(counters().live.bytes, 54u + 58u);
}

TEST_F(Flow, EndsWithTheSameAddressAreToldByTheirPorts) {
  const Ipv4Fields local{.src = "127.0.0.1", .dst = "127.0.0.1"};
  send(PacketBuilder{}.eth().ipv4(local).udp({.src_port = 1, .dst_port = 2}));
  send(PacketBuilder{}.eth().ipv4(local).udp({.src_port = 2, .dst_port = 1}));
  EXPECT_EQ(counters().flows_created, 1u);
  send(PacketBuilder{}.eth().ipv4(local).udp({.src_port = 2, .dst_port = 2}));
  EXPECT_EQ(counters().flows_created, 2u);
}

TEST_F(Flow, EachPartOfTheKeyMakesAnotherFlow) {
  const auto sent = [this](const PacketBuilder& builder) {
    send(builder);
    return counters().flows_created;
  };
  EXPECT_EQ(sent(PacketBuilder{}.eth().ipv4().udp()), 1u);
  EXPECT_EQ(sent(PacketBuilder{}.eth().ipv4({.src = "10.0.0.3"}).udp()), 2u);
  EXPECT_EQ(sent(PacketBuilder{}.eth().ipv4({.dst = "10.0.0.3"}).udp()), 3u);
  EXPECT_EQ(sent(PacketBuilder{}.eth().ipv4().udp({.src_port = 1})), 4u);
  EXPECT_EQ(sent(PacketBuilder{}.eth().ipv4().udp({.dst_port = 1})), 5u);
  EXPECT_EQ(sent(PacketBuilder{}.eth().ipv4().tcp({.dst_port = 53})), 6u);
  EXPECT_EQ(sent(PacketBuilder{}.eth().vlan(7).ipv4().udp()), 7u);
  EXPECT_EQ(sent(PacketBuilder{}.eth().vlan(8).ipv4().udp()), 8u);
  EXPECT_EQ(sent(PacketBuilder{}.eth().vlan(7).vlan(8).ipv4().udp()), 9u);
  EXPECT_EQ(sent(PacketBuilder{}.eth().vlan(8).vlan(7).ipv4().udp()), 10u);
  EXPECT_EQ(sent(PacketBuilder{}.eth().ipv6().udp()), 11u);
  EXPECT_EQ(sent(PacketBuilder{}.eth().ipv4().udp()), 11u);
}

TEST_F(Flow, EveryIpv6AddressWordIsInTheKey) {
  int flows = 0;
  for (const char* dst : {"2001:db8::2", "2001:db8::2:0:0:2", "2001:db8:0:1::2", "2002:db8::2"}) {
    send(PacketBuilder{}.eth().ipv6({.dst = dst}).udp());
    send(PacketBuilder{}
             .eth()
             .ipv6({.src = dst, .dst = "2001:db8::1"})
             .udp({.src_port = 53, .dst_port = 40'000}));
    EXPECT_EQ(counters().flows_created, static_cast<std::uint64_t>(++flows)) << dst;
  }
}

TEST_F(Flow, EchoRequestsAndTheirRepliesAreOneFlowAnIdentifier) {
  send(PacketBuilder{}.eth().ipv4().icmp({.id = 7, .seq = 1}));
  send(PacketBuilder{}
           .eth()
           .ipv4({.src = "10.0.0.2", .dst = "10.0.0.1"})
           .icmp({.type = kIcmpEchoReply, .id = 7, .seq = 1}));
  EXPECT_EQ(counters().flows_created, 1u);
  send(PacketBuilder{}.eth().ipv4().icmp({.id = 8}));
  EXPECT_EQ(counters().flows_created, 2u);
}

TEST_F(Flow, WhatHasNoFlowByNatureIsCountedAsThat) {
  send(PacketBuilder{}.eth().arp());
  send(PacketBuilder{}.eth({.ether_type = 0x88cc}).payload_bytes(46));
  send(PacketBuilder{}.eth().ipv4({.total_len = 9000}).udp());
  send(PacketBuilder{}
           .eth()
           .ipv4({.protocol = kProtoUdp, .fragment_offset_bytes = 8})
           .payload_bytes(20));
  EXPECT_EQ(counters().no_flow.packets, 4u);
  EXPECT_EQ(counters().no_flow.bytes, 42u + 60u + 42u + 54u);
  EXPECT_EQ(counters().parse[NIDS_PARSE_LATER_FRAGMENT], 1u);
  EXPECT_EQ(counters().transport[NIDS_TRANSPORT_FRAGMENT], 1u);
  EXPECT_EQ(counters().flows_created, 0u);
  expect_balance(counters());
}

TEST_F(Flow, SnappedFrameCountsWithItsWireLength) {
  const Bytes frame =
      PacketBuilder{}.eth().ipv4().tcp({.dst_port = 22}).payload_bytes(1000).bytes();
  send_bytes(Bytes(frame.begin(), frame.begin() + 96), frame.size());
  EXPECT_EQ(counters().seen[NIDS_INGRESS].bytes, frame.size());
  EXPECT_EQ(counters().live.bytes, frame.size());
  ASSERT_EQ(records_.packets.size(), 1u);
  EXPECT_EQ(records_.packets[0].head.frame_len, frame.size());
  EXPECT_EQ(records_.packets[0].head.cap_len, 96u);
  EXPECT_EQ(records_.packets[0].head.packet.payload_len, 1000u);
}

TEST_F(Flow, RecordIsCutAtTheSnapLength) {
  restart({.slots = 64, .snap_bytes = 60});
  const Bytes frame =
      PacketBuilder{}.eth().ipv4().tcp({.dst_port = 22}).payload("0123456789").bytes();
  send_bytes(frame, frame.size());
  ASSERT_EQ(records_.packets.size(), 1u);
  EXPECT_EQ(records_.packets[0].bytes, Bytes(frame.begin(), frame.begin() + 60));
  EXPECT_EQ(records_.packets[0].head.wire_len, frame.size());
}

TEST_F(Flow, FullSetExportsTheFlowThatWasIdleLongest) {
  restart({.slots = NIDS_WAYS});
  for (int i = 0; i < NIDS_WAYS; ++i) udp("10.0.1." + std::to_string(i), "10.0.0.200", 10);
  udp("10.0.1.0", "10.0.0.200");  // so that 10.0.1.1 is the oldest
  EXPECT_TRUE(records_.flows.empty());

  udp("10.0.9.9", "10.0.0.200", 100);
  ASSERT_EQ(records_.flows.size(), 1u);
  const nids_flow_snapshot& flow = records_.flows[0].flow;
  EXPECT_EQ(records_.flows[0].event.ktime_ns, now_ns_ - kMillisecond);
  EXPECT_EQ(flow.key.ip_version, 4);
  EXPECT_EQ(flow.key.lo_port, 1000);
  EXPECT_EQ(flow.key.lo_addr[3], 200);
  EXPECT_EQ(flow.key.hi_addr[3], 1);
  EXPECT_EQ(flow.state.packets[NIDS_FROM_HI], 1u);
  EXPECT_EQ(flow.state.packets[NIDS_FROM_LO], 0u);
  EXPECT_EQ(flow.state.bytes[NIDS_FROM_HI], 52u);
  EXPECT_EQ(counters().exported.packets, 1u);
  EXPECT_EQ(counters().exported.bytes, 52u);
  EXPECT_EQ(counters().flows_exported, 1u);
  expect_live_is_what_the_slots_hold();
  expect_balance(counters());
}

TEST_F(Flow, SlotIsCleanWhenItsNextFlowMovesIn) {
  restart({.slots = NIDS_WAYS});
  send(PacketBuilder{}.eth().ipv4().tcp({.dst_port = 9, .flags = 0xff}).payload_bytes(500));
  for (int i = 0; i < 2 * NIDS_WAYS; ++i) udp("10.0.1." + std::to_string(i), "10.0.0.200");
  ASSERT_EQ(records_.flows.size(), static_cast<std::size_t>(NIDS_WAYS) + 1);
  EXPECT_EQ(records_.flows[0].flow.state.tcp_flags[NIDS_FROM_LO], 0xff);
  for (std::size_t i = 1; i < records_.flows.size(); ++i) {
    const nids_flow_state& slot = records_.flows[i].flow.state;
    EXPECT_EQ(slot.packets[0] + slot.packets[1], 1u);
    EXPECT_EQ(slot.bytes[0] + slot.bytes[1], 42u);
    EXPECT_EQ(slot.tcp_flags[0] | slot.tcp_flags[1], 0);
  }
}

TEST_F(Flow, FlagsAndTimesAreKeptADirection) {
  restart({.slots = NIDS_WAYS});
  now_ns_ = 100 * kMillisecond;
  const Ipv4Fields back{.src = "10.0.0.2", .dst = "10.0.0.1"};
  send(PacketBuilder{}.eth().ipv4().tcp({.flags = kTcpSyn}));
  send(
      PacketBuilder{}.eth().ipv4(back).tcp({.src_port = 80, .dst_port = 40'000, .flags = kTcpRst}));
  send(PacketBuilder{}.eth().ipv4().tcp({.flags = kTcpFin | kTcpAck}));
  for (int i = 0; i < NIDS_WAYS; ++i) udp("10.0.1." + std::to_string(i), "10.0.0.200");
  ASSERT_EQ(records_.flows.size(), 1u);
  const nids_flow_snapshot& flow = records_.flows[0].flow;
  EXPECT_EQ(flow.state.tcp_flags[NIDS_FROM_LO], kTcpSyn | kTcpFin | kTcpAck);
  EXPECT_EQ(flow.state.tcp_flags[NIDS_FROM_HI], kTcpRst);
  EXPECT_EQ(flow.state.created_ticks, 100u);
  EXPECT_EQ(flow.state.last_ticks, 102u);
  EXPECT_EQ(flow.state.flags & NIDS_FLOW_OPENER_HI, 0);
}

TEST_F(Flow, SynAfterTheFlowWasClosedBeginsANewOne) {
  const auto there = [this](std::uint8_t flags) {
    send(PacketBuilder{}.eth().ipv4().tcp({.dst_port = 7070, .flags = flags}).payload_bytes(300));
  };
  for (const std::uint8_t closing : {kTcpFin, kTcpRst}) {
    restart({.slots = 64});
    there(kTcpSyn);
    there(kTcpSyn);  // a retransmission
    there(kTcpAck | closing);
    EXPECT_EQ(counters().flows_created, 1u);
    EXPECT_EQ(records_.packets.size(), 1u);

    there(kTcpSyn);
    EXPECT_EQ(counters().flows_created, 2u);
    EXPECT_EQ(records_.packets.size(), 2u) << "the new flow has a depth of its own";
    ASSERT_EQ(records_.flows.size(), 1u);
    EXPECT_EQ(records_.flows[0].flow.state.packets[NIDS_FROM_LO], 3u);
    EXPECT_EQ(counters().classes[kShallow].flows, 2u);
    expect_live_is_what_the_slots_hold();
    expect_balance(counters());
  }
}

TEST_F(Flow, SilenceOfAMinuteEndsAFlowOfDatagramsButATcpFlowOnlyBeforeASyn) {
  const auto wait = [this](std::uint64_t seconds) { now_ns_ += seconds * 1'000 * kMillisecond; };
  udp("10.0.0.1", "10.0.0.2");
  wait(59);
  udp("10.0.0.1", "10.0.0.2");
  EXPECT_EQ(counters().flows_created, 1u);
  wait(61);
  udp("10.0.0.1", "10.0.0.2");
  EXPECT_EQ(counters().flows_created, 2u);
  EXPECT_EQ(counters().exported.packets, 2u);

  send(PacketBuilder{}.eth().ipv4().tcp());
  wait(3600);
  send(PacketBuilder{}.eth().ipv4().tcp());
  EXPECT_EQ(counters().flows_created, 3u);
  wait(3600);
  send(PacketBuilder{}.eth().ipv4().tcp({.flags = kTcpSyn}));
  EXPECT_EQ(counters().flows_created, 4u);
  expect_live_is_what_the_slots_hold();
  expect_balance(counters());
}

TEST_F(Flow, LedgerBalancesWithTenThousandFlowsInSixtyFourSlots) {
  std::mt19937 random(1);
  const auto any = [&random](int count) {
    return std::to_string(random() % static_cast<unsigned>(count));
  };
  for (int i = 0; i < 20'000; ++i) {
    const std::string client = "10." + any(4) + "." + any(64) + "." + any(40);
    const bool is_back = random() % 2 == 0;
    const std::uint16_t service = random() % 3 == 0 ? 22 : 7070;
    PacketBuilder builder;
    builder.eth();
    if (random() % 8 == 0) builder.vlan(static_cast<std::uint16_t>(random() % 4));
    builder.ipv4({.src = is_back ? "10.0.0.200" : client,
                  .dst = is_back ? client : "10.0.0.200",
                  .fragment_offset_bytes = random() % 16 == 0 ? 8u : 0u});
    builder.tcp(is_back ? TcpFields{.src_port = service, .dst_port = 5000}
                        : TcpFields{.src_port = 5000, .dst_port = service});
    send(builder.payload_bytes(random() % 1400));
    ASSERT_NO_FATAL_FAILURE(expect_balance(counters()));
    ASSERT_FALSE(HasFailure()) << "packet " << i;
  }
  EXPECT_GT(counters().flows_created, 10'000u);
  EXPECT_EQ(counters().flows_created - counters().flows_exported, 64u);
  EXPECT_EQ(counters().unaccounted.packets, 0u);
  expect_live_is_what_the_slots_hold();

  nids_sum exported{};
  for (const nids_flow_event& flow : records_.flows) {
    exported.packets += flow.flow.state.packets[0] + flow.flow.state.packets[1];
    exported.bytes += flow.flow.state.bytes[0] + flow.flow.state.bytes[1];
  }
  EXPECT_EQ(records_.flows.size(), counters().flows_exported);
  EXPECT_EQ(exported.packets, counters().exported.packets);
  EXPECT_EQ(exported.bytes, counters().exported.bytes);
  EXPECT_EQ(records_.packets.size() + records_.flows.size(), counters().ring_offered.packets);
}

TEST_F(Flow, HashSeedMovesFlowsToOtherSets) {
  const auto exports_with = [this](std::uint64_t seed) {
    restart({.slots = 64, .hash_seed = seed});
    for (int i = 0; i < 64; ++i) udp("10.0.1." + std::to_string(i), "10.0.0.200");
    std::vector<std::uint8_t> hosts;
    for (const nids_flow_event& flow : records_.flows) hosts.push_back(flow.flow.key.hi_addr[3]);
    return hosts;
  };
  EXPECT_NE(exports_with(1), exports_with(2));
  EXPECT_EQ(exports_with(1), exports_with(1));
}

TEST_F(Flow, PacketThatBeginsBelowTheDepthGoesUpAndTheNextDoesNot) {
  const auto there = [this](std::size_t payload) {
    records_.clear();
    send(PacketBuilder{}.eth().ipv4().tcp({.dst_port = 7070}).payload_bytes(payload));
    return records_.packets.size();
  };
  EXPECT_EQ(there(145), 1u);  // bytes 0 to 198
  EXPECT_EQ(there(946), 1u);  // begins at 199
  EXPECT_EQ(there(46), 0u);   // begins at 1199
  EXPECT_EQ(counters().beyond_depth.packets, 1u);
  EXPECT_EQ(counters().beyond_depth.bytes, 100u);

  send(PacketBuilder{}
           .eth()
           .ipv4({.src = "10.0.0.2", .dst = "10.0.0.1"})
           .tcp({.src_port = 7070, .dst_port = 40'000}));
  EXPECT_EQ(records_.packets.size(), 1u) << "the other direction has a depth of its own";
  EXPECT_EQ(counters().classes[kShallow].packets, 4u);
}

TEST_F(Flow, PacketThatBeginsAtTheDepthStaysBelow) {
  send(PacketBuilder{}.eth().ipv4().tcp({.dst_port = 7070}).payload_bytes(146));
  send(PacketBuilder{}.eth().ipv4().tcp({.dst_port = 7070}));
  EXPECT_EQ(records_.packets.size(), 1u);
  EXPECT_EQ(counters().beyond_depth.packets, 1u);
}

TEST_F(Flow, ParseResultsAddUpToWhatWasSeen) {
  send(PacketBuilder{}.eth().arp());
  send(PacketBuilder{}.eth().ipv4().tcp());
  send(PacketBuilder{}.eth().ipv4({.version = 5}).tcp());
  send(PacketBuilder{}.eth().truncated_to(5));
  std::uint64_t results = 0;
  for (const std::uint64_t count : counters().parse) results += count;
  std::uint64_t networks = 0;
  for (const std::uint64_t count : counters().network) networks += count;
  EXPECT_EQ(results, counters().seen[NIDS_INGRESS].packets);
  EXPECT_EQ(networks, counters().seen[NIDS_INGRESS].packets);
}

}  // namespace
}  // namespace nids
