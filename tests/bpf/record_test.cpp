// SPDX-License-Identifier: Apache-2.0
// What goes up through the ring, and what becomes of it where the ring is full.
#include <sys/epoll.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "support/first_pass_program.hpp"

namespace nids {
namespace {

constexpr std::size_t kRecordBytes = sizeof(nids_packet_event) + 128;  // of the smallest room

std::uint64_t monotonic_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(now).count());
}

TEST_F(FirstPassProgram, RecordHasEveryFieldOfItsPacket) {
  const Bytes frame =
      PacketBuilder{}
          .eth()
          .vlan(7)
          .ipv4()
          .tcp({.dst_port = 22, .flags = kTcpSyn, .options = {2, 4, 5, 180, 1, 3, 3, 7, 4, 2}})
          .payload("hi")
          .bytes();
  const std::uint64_t before = monotonic_ns();
  ingress(frame);
  const std::uint64_t after = monotonic_ns();

  ASSERT_EQ(drained().packets.size(), 1u);
  const auto& [head, detail, bytes, raw, ring] = records_.packets[0];
  EXPECT_EQ(ring, 0u);
  EXPECT_GE(head.event.ktime_ns, before);
  EXPECT_LE(head.event.ktime_ns, after);
  EXPECT_EQ(head.event.direction, NIDS_INGRESS);
  EXPECT_EQ(head.event.ifindex, BpfSetup{}.ifindex);
  EXPECT_EQ(head.wire_len, frame.size());
  EXPECT_EQ(head.wire_packets, 1u);
  EXPECT_EQ(head.frame_len, frame.size());
  EXPECT_EQ(head.cap_len, frame.size());
  EXPECT_EQ(head.class_id, kSsh);
  EXPECT_EQ(head.from_opener, 1);
  EXPECT_EQ(head.packet.result, NIDS_PARSE_OK);
  EXPECT_EQ(head.packet.vlan[0], 7);
  EXPECT_EQ(head.packet.vlan_count, 1);
  EXPECT_EQ(head.packet.src_port, 40'000);
  EXPECT_EQ(head.packet.dst_port, 22);
  EXPECT_EQ(head.packet.tcp_flags, kTcpSyn);
  EXPECT_EQ(head.packet.l3_offset, 18);
  EXPECT_EQ(head.packet.l4_offset, 38);
  EXPECT_EQ(head.packet.payload_offset, 70);
  EXPECT_EQ(head.packet.payload_len, 2u);
  EXPECT_EQ(head.reason, NIDS_REASON_CAPTURE);
  EXPECT_EQ(head.findings, 0u);
  EXPECT_EQ(head.slot.generation, 1u);
  EXPECT_EQ(head.detail_len, sizeof(nids_packet_detail));
  EXPECT_EQ(detail.tcp_options.mss, 1460);
  EXPECT_EQ(detail.tcp_options.window_scale, 7);
  EXPECT_EQ(detail.tcp_options.flags,
            NIDS_TCP_HAS_MSS | NIDS_TCP_HAS_WINDOW_SCALE | NIDS_TCP_HAS_SACK);
  EXPECT_EQ(bytes, frame);
}

TEST_F(FirstPassProgram, FullRingLosesRecordsAndCountsEach) {
  reload({.ring_bytes = 4096});
  constexpr std::uint64_t kSent = 50;
  for (std::uint64_t i = 0; i < kSent; ++i) flow_from(1, 22);
  const std::uint64_t arrived = drained().packets.size();
  const nids_counters counters = program().counters();
  EXPECT_GT(arrived, 0u);
  EXPECT_EQ(counters.ring_offered.packets, kSent);
  EXPECT_EQ(counters.ring_offered.bytes, kSent * kRecordBytes);
  EXPECT_EQ(counters.ring_lost[NIDS_REASON_CAPTURE].packets, kSent - arrived);
  EXPECT_EQ(counters.ring_lost[NIDS_REASON_CAPTURE].bytes, (kSent - arrived) * kRecordBytes);
  EXPECT_EQ(counters.classes[kSsh].packets, kSent);
  expect_ledger();
}

TEST_F(FirstPassProgram, FlowWithoutASlotIsUnaccountedWhileTheRingIsFull) {
  reload({.sets4_per_cpu = 1, .ring_bytes = 4096});
  for (int host = 0; host < NIDS_WAYS; ++host) flow_from(host, 22);
  fill_ring();

  // A record of a flow is smaller than that of a packet: some may still find room.
  int host = 100;
  while (program().counters().unaccounted.packets == 0 && host < 120) flow_from(host++, 25);
  nids_counters counters = program().counters();
  EXPECT_EQ(counters.unaccounted.packets, 1u);
  EXPECT_EQ(counters.unaccounted.bytes, 54u);
  EXPECT_EQ(counters.ring_lost[NIDS_REASON_FLOW_EXPORT].packets, 1u);
  EXPECT_EQ(counters.ring_lost[NIDS_REASON_FLOW_EXPORT].bytes, sizeof(nids_flow_event));
  EXPECT_EQ(counters.classes[kCounted].packets, static_cast<std::uint64_t>(host - 100))
      << "it is still classified";
  expect_ledger();

  const std::uint64_t created = counters.flows_created;
  drained();
  flow_from(host, 25);
  counters = program().counters();
  EXPECT_EQ(counters.flows_created, created + 1);
  EXPECT_EQ(counters.unaccounted.packets, 1u);
  expect_ledger();
}

TEST_F(FirstPassProgram, ClosedFlowWhoseRecordFindsNoRoomKeepsItsSlot) {
  reload({.ring_bytes = 4096});
  const auto send = [this](std::uint8_t flags) {
    ingress(PacketBuilder{}.eth().ipv4().tcp({.dst_port = 9, .flags = flags}));
  };
  send(kTcpSyn);
  send(kTcpFin | kTcpAck);
  fill_ring();
  for (int i = 0; program().counters().ring_lost[NIDS_REASON_FLOW_EXPORT].packets == 0; ++i) {
    ASSERT_LT(i, 30);
    send(kTcpSyn);
    send(kTcpFin | kTcpAck);
  }
  EXPECT_EQ(program().counters().unaccounted.packets, 0u);
  expect_ledger();
}

TEST_F(FirstPassProgram, RecordOfEverySizeHoldsTheFramesBytes) {
  reload({.ring_bytes = 1 << 22});
  for (const std::size_t length : {54, 256, 257, 2048, 2049, 3500, 9000, 16'384, 16'385, 32'768,
                                   32'769, 60'000, 65'535, 65'536, 65'600}) {
    PacketBuilder builder;
    const std::size_t packet = std::min<std::size_t>(length, 60'000);  // the rest is padding
    Bytes frame = builder.eth().ipv4().tcp({.dst_port = 22}).payload_bytes(packet - 54).bytes();
    frame.resize(length);
    for (std::size_t i = 54; i < frame.size(); ++i) frame[i] = static_cast<std::byte>(i * 31 >> 3);
    ingress(frame);
    ASSERT_EQ(drained().packets.size(), 1u) << length;
    EXPECT_EQ(records_.packets[0].head.frame_len, length);
    EXPECT_EQ(records_.packets[0].bytes, frame);
  }
  EXPECT_EQ(program().counters().copy_failed.packets, 0u);
}

TEST_F(FirstPassProgram, SnapCutsTheRecordAndNothingElse) {
  reload({.snap_bytes = 300});
  const Bytes frame =
      PacketBuilder{}.eth().ipv4().tcp({.dst_port = 22}).payload_bytes(9000).bytes();
  ingress(frame);
  ASSERT_EQ(drained().packets.size(), 1u);
  const auto& [head, detail, bytes, raw, ring] = records_.packets[0];
  EXPECT_EQ(head.cap_len, 300u);
  EXPECT_EQ(head.frame_len, frame.size());
  EXPECT_EQ(head.wire_len, frame.size());
  EXPECT_EQ(head.packet.payload_len, 9000u);
  EXPECT_EQ(bytes, Bytes(frame.begin(), frame.begin() + 300));
  EXPECT_EQ(program().counters().live.bytes, frame.size());
}

TEST_F(FirstPassProgram, RecordThatCannotBeFilledIsGivenBackAndCounted) {
  reload({.snap_bytes = 10});  // a tag does not fit behind the addresses
  egress(PacketBuilder{}.eth().ipv4().tcp({.dst_port = 22}),
         {.tag_type = kEtherVlan, .tag_tci = 5});
  EXPECT_TRUE(drained().packets.empty());
  const nids_counters counters = program().counters();
  EXPECT_EQ(counters.copy_failed.packets, 1u);
  EXPECT_EQ(counters.copy_failed.bytes, kRecordBytes);
  EXPECT_EQ(counters.ring_offered.packets, 1u);
  EXPECT_EQ(counters.ring_lost[NIDS_REASON_CAPTURE].packets, 0u);
}

// Not once a jiffy: what is full takes no record any more that could wake anybody.
TEST_F(FirstPassProgram, AnEighthOfTheRingWakesItsReaderAfterEachTimeItWasEmptied) {
  const auto rings = program().maps().rings();
  ASSERT_TRUE(rings);
  const Fd epoll{epoll_create1(EPOLL_CLOEXEC)};
  epoll_event wanted{.events = EPOLLIN | EPOLLET, .data = {}};
  ASSERT_EQ(epoll_ctl(epoll.get(), EPOLL_CTL_ADD, rings->front().get(), &wanted), 0);
  const auto is_woken = [&](int within_ms) {
    epoll_event event;
    return epoll_wait(epoll.get(), &event, 1, within_ms) == 1;
  };
  const Bytes frame =
      PacketBuilder{}.eth().ipv4().tcp({.dst_port = 22}).payload_bytes(1000).bytes();
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 40; ++i) ingress(frame);
    EXPECT_FALSE(is_woken(0)) << round << ": a twentieth is pending";
    for (int i = 0; i < 120; ++i) ingress(frame);
    EXPECT_TRUE(is_woken(1000)) << round;
    EXPECT_EQ(drained().packets.size(), 160u);
    const std::uint64_t end = monotonic_ns() + 300'000;
    while (monotonic_ns() < end) {
    }
  }
}

// Samples of two findings from each of 64 hosts. None of the packets has a flow.
class WithoutAFlow : public FirstPassProgram {
 protected:
  static constexpr std::uint32_t kRings = 4;
  static constexpr int kHosts = 64;

  template <class MakeOne, class MakeOther>
  void expect_spread_by_host(MakeOne make_one, MakeOther make_other) {
    reload({.rings = kRings});
    for (int host = 1; host <= kHosts; ++host) {
      const Ipv4Fields from{.src = "10.1.0." + std::to_string(host)};
      ingress(make_one(from));
      ingress(make_other(from));
    }
    EXPECT_EQ(program().counters().no_flow.packets, 2u * kHosts);
    std::map<std::uint8_t, std::set<std::size_t>> rings_of_host;
    std::set<std::size_t> rings;
    for (const PacketRecord& record : drained().packets) {
      rings_of_host[record.head.packet.src[3]].insert(record.ring);
      rings.insert(record.ring);
    }
    EXPECT_EQ(records_.packets.size(), 2u * kHosts);
    EXPECT_EQ(rings_of_host.size(), kHosts + 0u);
    for (const auto& [host, of_host] : rings_of_host) EXPECT_EQ(of_host.size(), 1u) << +host;
    EXPECT_EQ(rings.size(), kRings);
  }
};

TEST_F(WithoutAFlow, PacketsAreSpreadOverTheRingsByTheirAddresses) {
  expect_spread_by_host(
      [](const Ipv4Fields& from) {
        return PacketBuilder{}.eth().ipv4(from).tcp({.data_offset_words = 2});
      },
      [](const Ipv4Fields& from) {
        Ipv4Fields lying = from;
        lying.total_len = 1'000;
        return PacketBuilder{}.eth().ipv4(lying).tcp();
      });
}

TEST_F(WithoutAFlow, FragmentsOfAnUnknownDatagramAreInOneRing) {
  const auto fragment = [](Ipv4Fields from, std::uint32_t offset_bytes) {
    from.protocol = kProtoTcp;
    from.id = 77;
    from.fragment_offset_bytes = offset_bytes;
    return PacketBuilder{}.eth().ipv4(from).payload_bytes(100);
  };
  expect_spread_by_host([&](const Ipv4Fields& from) { return fragment(from, 8); },
                        [&](const Ipv4Fields& from) { return fragment(from, 65'528); });
}

}  // namespace
}  // namespace nids
