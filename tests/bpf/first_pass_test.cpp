// SPDX-License-Identifier: Apache-2.0
// TEST_RUN takes no frame below 14 bytes, and at tc none that ends inside its IP header or exceeds
// a page: those are the native twin's to test.
#include <linux/bpf.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "support/bpf_run.hpp"
#include "support/packet_builder.hpp"
#include "support/sample_packets.hpp"

namespace nids {
namespace {

constexpr int kTcUnspec = -1;  // TC_ACT_UNSPEC: later filters still run
constexpr std::size_t kRecordBytes = sizeof(nids_packet_event) + 256;  // of the smallest snap

enum Class : std::uint8_t { kNone, kSsh, kShallow, kCounted };

std::uint64_t monotonic_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(now).count());
}

class FirstPassProgram : public BpfTest {
 protected:
  void SetUp() override { load({}, tables_); }

  void reload(const BpfSetup& setup) { ASSERT_NO_FATAL_FAILURE(load(setup, tables_)); }

  int ingress(std::span<const std::byte> frame) {
    const Result<std::uint32_t> action = program().ingress(frame);
    EXPECT_TRUE(action) << (action ? "" : action.error().message());
    return action ? static_cast<int>(*action) : -2;
  }
  int ingress(const PacketBuilder& builder) { return ingress(builder.bytes()); }

  int egress(const PacketBuilder& builder, const SkbFacts& facts = {}) {
    const Result<std::uint32_t> action = program().egress(builder.bytes(), facts);
    EXPECT_TRUE(action) << (action ? "" : action.error().message());
    return action ? static_cast<int>(*action) : -2;
  }

  void flow_from(int host, std::uint16_t dst_port = 9) {
    ingress(PacketBuilder{}
                .eth()
                .ipv4({.src = "10.1.0." + std::to_string(host), .dst = "10.0.0.2"})
                .tcp({.dst_port = dst_port}));
  }

  const RingRecords& drained() {
    records_.clear();
    program().drain(records_);
    return records_;
  }

  void expect_ledger() {
    const nids_counters counters = program().counters();
    expect_balance(counters);
    const nids_sum scanned = program().live_by_scan();
    EXPECT_EQ(counters.live.packets, scanned.packets);
    EXPECT_EQ(counters.live.bytes, scanned.bytes);
  }

  ClassTables tables_{{.name = "ssh", .tcp = {22}},
                      {.name = "shallow", .tcp = {7070}, .depth_bytes = 100},
                      {.name = "counted", .tcp = {25}, .interest = NIDS_INTEREST_COUNT}};
  RingRecords records_;
};

TEST_F(FirstPassProgram, EveryFrameIsPassedOnWhateverItHolds) {
  std::vector<Bytes> frames;
  for (const HonestPacket& packet : honest_packets()) frames.push_back(packet.frame);
  for (const LyingPacket& packet : lying_packets()) frames.push_back(packet.frame);
  for (const Bytes& frame : frames) {
    EXPECT_EQ(ingress(frame), XDP_PASS);
    if (const Result<std::uint32_t> action = program().egress(frame))
      EXPECT_EQ(static_cast<int>(*action), kTcUnspec);
    else
      EXPECT_EQ(action.error().error_number, EINVAL);
  }
  expect_ledger();
}

TEST_F(FirstPassProgram, EachParseResultIsCountedOnceAPacket) {
  for (const LyingPacket& packet : lying_packets()) {
    SCOPED_TRACE(packet.name);
    program().clear_tables();
    ingress(packet.frame);
    EXPECT_EQ(program().counters().parse[packet.result], 1u);
  }
  for (const HonestPacket& packet : honest_packets()) {
    SCOPED_TRACE(packet.name);
    program().clear_tables();
    ingress(packet.frame);
    EXPECT_EQ(program().counters().parse[packet.on_wire.back().result], 1u);
    expect_ledger();
  }
}

TEST_F(FirstPassProgram, ShortFramesAreTruncatedAndStillSeen) {
  const Bytes whole = PacketBuilder{}.eth().ipv4().tcp().bytes();
  for (std::size_t length = 14; length < 34; ++length)
    EXPECT_EQ(ingress(std::span(whole).first(length)), XDP_PASS);
  const nids_counters counters = program().counters();
  EXPECT_EQ(counters.parse[NIDS_PARSE_TRUNCATED], 20u);
  EXPECT_EQ(counters.no_flow.packets, 20u);
  EXPECT_EQ(counters.seen[NIDS_INGRESS].packets, 20u);
}

TEST_F(FirstPassProgram, NetworksAndTransportsAreCounted) {
  ingress(PacketBuilder{}.eth().arp());
  ingress(PacketBuilder{}.eth().ipv4().tcp());
  ingress(PacketBuilder{}.eth().ipv4().udp());
  ingress(PacketBuilder{}.eth().ipv4().icmp());
  ingress(PacketBuilder{}.eth().ipv6().icmpv6());
  ingress(PacketBuilder{}.eth().ipv4({.fragment_offset_bytes = 8}).udp());
  egress(PacketBuilder{}.eth().ipv4().sctp());
  const nids_counters counters = program().counters();
  EXPECT_EQ(counters.network[NIDS_NETWORK_ARP], 1u);
  EXPECT_EQ(counters.network[NIDS_NETWORK_IPV4], 5u);
  EXPECT_EQ(counters.network[NIDS_NETWORK_IPV6], 1u);
  for (const nids_transport transport :
       {NIDS_TRANSPORT_TCP, NIDS_TRANSPORT_UDP, NIDS_TRANSPORT_ICMP, NIDS_TRANSPORT_ICMPV6,
        NIDS_TRANSPORT_FRAGMENT, NIDS_TRANSPORT_SCTP})
    EXPECT_EQ(counters.transport[transport], 1u) << transport;
  EXPECT_EQ(counters.seen[NIDS_INGRESS].packets, 6u);
  EXPECT_EQ(counters.seen[NIDS_EGRESS].packets, 1u);
  expect_ledger();
}

TEST_F(FirstPassProgram, LaterFragmentIsPassedAndNeverReadAsPorts) {
  const Bytes late =
      PacketBuilder{}.eth().ipv4({.fragment_offset_bytes = 1480}).tcp({.dst_port = 22}).bytes();
  EXPECT_EQ(ingress(late), XDP_PASS);
  EXPECT_EQ(program().counters().parse[NIDS_PARSE_LATER_FRAGMENT], 1u);
  EXPECT_EQ(program().counters().no_flow.packets, 1u);
  EXPECT_EQ(program().counters().classes[kSsh].packets, 0u);
  EXPECT_TRUE(drained().packets.empty());
}

TEST_F(FirstPassProgram, RecordHasEveryFieldOfItsPacket) {
  const Bytes frame = PacketBuilder{}
                          .eth()
                          .vlan(7)
                          .ipv4()
                          .tcp({.dst_port = 22, .flags = kTcpSyn})
                          .payload("hi")
                          .bytes();
  const std::uint64_t before = monotonic_ns();
  ingress(frame);
  const std::uint64_t after = monotonic_ns();

  ASSERT_EQ(drained().packets.size(), 1u);
  const auto& [head, bytes] = records_.packets[0];
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
  EXPECT_EQ(head.packet.payload_offset, 58);
  EXPECT_EQ(head.packet.payload_len, 2u);
  EXPECT_EQ(bytes, frame);
}

TEST_F(FirstPassProgram, ClassesAreCountedAndOnlyThoseOfInterestGoUp) {
  flow_from(1, 22);
  flow_from(2, 25);
  flow_from(3, 80);
  const nids_counters counters = program().counters();
  EXPECT_EQ(counters.classes[kSsh].flows, 1u);
  EXPECT_EQ(counters.classes[kSsh].packets, 1u);
  EXPECT_EQ(counters.classes[kSsh].bytes, 54u);
  EXPECT_EQ(counters.classes[kCounted].packets, 1u);
  EXPECT_EQ(drained().packets.size(), 1u);
}

TEST_F(FirstPassProgram, PacketBeyondTheDepthIsCountedAndStaysBelow) {
  for (int i = 0; i < 3; ++i) flow_from(1, 7070);  // 54 bytes each, depth 100
  EXPECT_EQ(drained().packets.size(), 2u);
  EXPECT_EQ(program().counters().beyond_depth.packets, 1u);
  EXPECT_EQ(program().counters().beyond_depth.bytes, 54u);
}

TEST_F(FirstPassProgram, BothHooksFeedOneFlow) {
  ingress(PacketBuilder{}.eth().ipv4().tcp({.dst_port = 22, .flags = kTcpSyn}));
  egress(PacketBuilder{}
             .eth()
             .ipv4({.src = "10.0.0.2", .dst = "10.0.0.1"})
             .tcp({.src_port = 22, .dst_port = 40'000, .flags = kTcpSyn | kTcpAck}));
  EXPECT_EQ(program().counters().flows_created, 1u);
  ASSERT_EQ(drained().packets.size(), 2u);
  EXPECT_EQ(records_.packets[1].head.event.direction, NIDS_EGRESS);
  EXPECT_EQ(records_.packets[1].head.from_opener, 0);
  EXPECT_EQ(records_.packets[1].head.class_id, kSsh);
  expect_ledger();
}

TEST_F(FirstPassProgram, DirectionsOnDifferentCpusAreTwoSlotsInOneLedger) {
  const int other = cpu() == 0 ? 1 : 0;
  ingress(PacketBuilder{}.eth().ipv4().tcp({.dst_port = 22, .flags = kTcpSyn}));
  {
    const OnOneCpu elsewhere(other);
    if (sched_getcpu() != other) GTEST_SKIP() << "needs CPUs 0 and 1";
    ingress(PacketBuilder{}
                .eth()
                .ipv4({.src = "10.0.0.2", .dst = "10.0.0.1"})
                .tcp({.src_port = 22, .dst_port = 40'000, .flags = kTcpSyn | kTcpAck}));
  }
  EXPECT_EQ(program().counters_of(cpu()).live.packets, 1u);
  EXPECT_EQ(program().counters_of(other).live.packets, 1u);
  EXPECT_EQ(program().counters().classes[kSsh].packets, 2u);
  EXPECT_EQ(program().counters().classes[kSsh].flows, 1u);
  expect_ledger();
}

TEST_F(FirstPassProgram, SixtyFourSlotsHoldAThousandFlowsExactly) {
  reload({.sets_per_cpu = 8});
  for (int i = 0; i < 1000; ++i) {
    ingress(PacketBuilder{}
                .eth()
                .ipv4({.src = "10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250)})
                .udp()
                .payload_bytes(static_cast<std::size_t>(i)));
    if (i % 100 == 0) expect_ledger();
  }
  const nids_counters counters = program().counters();
  EXPECT_EQ(counters.flows_created, 1000u);
  EXPECT_EQ(counters.flows_exported, 1000u - 64);
  EXPECT_EQ(counters.unaccounted.packets, 0u);
  expect_ledger();

  nids_sum exported{};
  for (const nids_flow_event& flow : drained().flows) {
    exported.packets += flow.slot.packets[0] + flow.slot.packets[1];
    exported.bytes += flow.slot.bytes[0] + flow.slot.bytes[1];
  }
  EXPECT_EQ(exported.packets, counters.exported.packets);
  EXPECT_EQ(exported.bytes, counters.exported.bytes);
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
  EXPECT_EQ(counters.ring_lost[NIDS_RECORD_PACKET].packets, kSent - arrived);
  EXPECT_EQ(counters.ring_lost[NIDS_RECORD_PACKET].bytes, (kSent - arrived) * kRecordBytes);
  EXPECT_EQ(counters.classes[kSsh].packets, kSent);
  expect_ledger();
}

TEST_F(FirstPassProgram, FlowWithoutASlotIsUnaccountedWhileTheRingIsFull) {
  reload({.sets_per_cpu = 1, .ring_bytes = 4096});
  for (int host = 0; host < NIDS_WAYS; ++host) flow_from(host, 22);
  while (program().counters().ring_lost[NIDS_RECORD_PACKET].packets == 0) flow_from(0, 22);

  // A record of a flow is smaller than that of a packet: some may still find room.
  int host = 100;
  while (program().counters().unaccounted.packets == 0 && host < 120) flow_from(host++, 25);
  nids_counters counters = program().counters();
  EXPECT_EQ(counters.unaccounted.packets, 1u);
  EXPECT_EQ(counters.unaccounted.bytes, 54u);
  EXPECT_EQ(counters.ring_lost[NIDS_RECORD_FLOW_EXPORT].packets, 1u);
  EXPECT_EQ(counters.ring_lost[NIDS_RECORD_FLOW_EXPORT].bytes, sizeof(nids_flow_event));
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
  while (program().counters().ring_lost[NIDS_RECORD_PACKET].packets == 0) flow_from(1, 22);
  for (int i = 0; program().counters().ring_lost[NIDS_RECORD_FLOW_EXPORT].packets == 0; ++i) {
    ASSERT_LT(i, 30);
    send(kTcpSyn);
    send(kTcpFin | kTcpAck);
  }
  EXPECT_EQ(program().counters().unaccounted.packets, 0u);
  expect_ledger();
}

TEST_F(FirstPassProgram, RecordOfEverySizeHoldsTheFramesBytes) {
  tables_.classes[kSsh].depth_bytes = 1 << 20;
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
  const auto& [head, bytes] = records_.packets[0];
  EXPECT_EQ(head.cap_len, 300u);
  EXPECT_EQ(head.frame_len, frame.size());
  EXPECT_EQ(head.wire_len, frame.size());
  EXPECT_EQ(head.packet.payload_len, 9000u);
  EXPECT_EQ(bytes, Bytes(frame.begin(), frame.begin() + 300));
  EXPECT_EQ(program().counters().live.bytes, frame.size());
}

TEST_F(FirstPassProgram, HeadersBeyondTheFirstBufferAreUnavailableAndNotTruncated) {
  const Bytes frame =
      PacketBuilder{}.eth().ipv4().tcp({.dst_port = 22}).payload_bytes(3000).bytes();
  if (!program().ingress(frame, 14)) GTEST_SKIP() << "this kernel's TEST_RUN fills buffers itself";
  for (const std::uint32_t linear : {14u, 33u, 34u, 53u})
    EXPECT_TRUE(program().ingress(frame, linear));
  EXPECT_EQ(program().counters().parse[NIDS_PARSE_UNAVAILABLE], 5u);
  EXPECT_EQ(program().counters().no_flow.bytes, 5 * frame.size());

  EXPECT_TRUE(program().ingress(frame, 54));
  EXPECT_EQ(program().counters().parse[NIDS_PARSE_OK], 1u);
  ASSERT_EQ(drained().packets.size(), 1u);
  EXPECT_EQ(records_.packets[0].bytes, frame);
}

TEST_F(FirstPassProgram, VlanTagBesideTheFrameIsPutBack) {
  const auto tagged = [](PacketBuilder builder) {
    return builder.ipv4().tcp({.dst_port = 22}).payload("x").bytes();
  };
  const PacketBuilder bare = PacketBuilder{}.eth().ipv4().tcp({.dst_port = 22}).payload("x");
  egress(bare, {.tag_type = kEtherVlan, .tag_tci = 0xe007});
  ASSERT_EQ(drained().packets.size(), 1u);
  EXPECT_EQ(records_.packets[0].bytes, tagged(PacketBuilder{}.eth().vlan(7, {.priority = 7})));
  EXPECT_EQ(records_.packets[0].head.packet.vlan[0], 7);
  EXPECT_EQ(records_.packets[0].head.packet.l3_offset, 18);
  EXPECT_EQ(records_.packets[0].head.packet.payload_offset, 58);
  EXPECT_EQ(records_.packets[0].head.frame_len, 59u);

  const PacketBuilder inner =
      PacketBuilder{}.eth().vlan(9).ipv4().tcp({.dst_port = 22}).payload("x");
  egress(inner, {.tag_type = kEtherQinq, .tag_tci = 5});
  ASSERT_EQ(drained().packets.size(), 1u);
  EXPECT_EQ(records_.packets[0].bytes,
            tagged(PacketBuilder{}.eth().vlan(5, {.tag_type = kEtherQinq}).vlan(9)));
  EXPECT_EQ(records_.packets[0].head.packet.vlan_count, 2);
  EXPECT_EQ(program().counters().seen[NIDS_EGRESS].bytes, 59u + 63u);
  expect_ledger();
}

TEST_F(FirstPassProgram, FourTagsAreTooManyWhereverTheFirstStands) {
  egress(PacketBuilder{}.eth().vlan(1).vlan(2).vlan(3).ipv4().udp(),
         {.tag_type = kEtherVlan, .tag_tci = 5});
  EXPECT_EQ(program().counters().parse[NIDS_PARSE_TOO_MANY_TAGS], 1u);
}

TEST_F(FirstPassProgram, GsoPacketCountsAsTheWirePacketsItStandsFor) {
  const PacketBuilder super =
      PacketBuilder{}.eth().ipv4().tcp({.dst_port = 22}).payload_bytes(3000);
  egress(super, {.gso_segments = 3, .gso_segment_len = 1400});
  ASSERT_EQ(drained().packets.size(), 1u);
  EXPECT_EQ(records_.packets[0].head.wire_packets, 3u);
  EXPECT_EQ(records_.packets[0].head.wire_len, 3054u + 2 * 54);
  EXPECT_EQ(records_.packets[0].head.frame_len, 3054u);
  const nids_counters counters = program().counters();
  EXPECT_EQ(counters.seen[NIDS_EGRESS].packets, 3u);
  EXPECT_EQ(counters.seen[NIDS_EGRESS].bytes, 3162u);
  EXPECT_EQ(counters.parse[NIDS_PARSE_OK], 3u);
  EXPECT_EQ(counters.classes[kSsh].packets, 3u);
  expect_ledger();
}

TEST_F(FirstPassProgram, SegmentsThatTheSenderLeftOpenAreReckoned) {
  const PacketBuilder super = PacketBuilder{}.eth().ipv4().tcp().payload_bytes(2801);
  egress(super, {.gso_segments = 0, .gso_segment_len = 1400});
  EXPECT_EQ(program().counters().seen[NIDS_EGRESS].packets, 3u);
  egress(super, {.gso_segments = 0, .gso_segment_len = 2801});
  EXPECT_EQ(program().counters().seen[NIDS_EGRESS].packets, 4u);
  expect_ledger();
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
  EXPECT_EQ(counters.ring_lost[NIDS_RECORD_PACKET].packets, 0u);
}

}  // namespace
}  // namespace nids
