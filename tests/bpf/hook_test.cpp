// SPDX-License-Identifier: Apache-2.0
// What a hook has of a frame beside its bytes: buffers, a VLAN tag, segments.
#include <cstring>
#include <utility>

#include "support/first_pass_program.hpp"
#include "support/sample_packets.hpp"

namespace nids {
namespace {

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

TEST_F(FirstPassProgram, HeadersBeyondTheFirstBufferAreReadByHelper) {
  const Bytes frame =
      PacketBuilder{}.eth().ipv4().tcp({.dst_port = 22}).payload_bytes(3000).bytes();
  if (!program().ingress(frame, 14)) GTEST_SKIP() << "this kernel's TEST_RUN fills buffers itself";
  for (const std::uint32_t linear : {14u, 33u, 34u, 53u, 54u})
    EXPECT_TRUE(program().ingress(frame, linear));
  EXPECT_EQ(program().counters().parse[NIDS_PARSE_OK], 6u);
  EXPECT_EQ(program().counters().flows_created, 1u);
  EXPECT_EQ(program().counters().live.bytes, 6 * frame.size());
  ASSERT_EQ(drained().packets.size(), 6u);
  for (const PacketRecord& record : records_.packets) EXPECT_EQ(record.bytes, frame);
  expect_ledger();
}

TEST_F(FirstPassProgram, PacketLongerThanItsBufferIsCountedWholeWhetherOrNotThatWasExpected) {
  const std::vector<Bytes> frames{
      PacketBuilder{}.eth().ipv4().tcp({.dst_port = 22}).payload_bytes(3000).bytes(),
      PacketBuilder{}.eth().vlan(7).ipv4().udp({.dst_port = 9}).payload_bytes(3000).bytes(),
      PacketBuilder{}.eth().ipv6().tcp({.dst_port = 22}).payload_bytes(3000).bytes(),
      PacketBuilder{}.eth().ipv4({.protocol = 89}).payload_bytes(3000).bytes()};
  if (!program().ingress(frames[0], 100)) GTEST_SKIP() << "this kernel fills buffers itself";
  program().clear_tables();
  drained();
  std::uint64_t bytes = 0, packets = 0;
  for (const Bytes& frame : frames)
    for (const std::uint32_t linear : {14u, 60u, 100u, 1'500u, 2'900u})
      for (const bool is_expected : {false, true}) {
        program().set_frames_split(is_expected);
        EXPECT_TRUE(program().ingress(frame, linear));
        EXPECT_TRUE(program().frames_are_split()) << "it has seen one";
        bytes += frame.size();
        ++packets;
      }
  EXPECT_EQ(program().counters().seen[NIDS_INGRESS].packets, packets);
  EXPECT_EQ(program().counters().seen[NIDS_INGRESS].bytes, bytes);
  EXPECT_EQ(program().counters().parse[NIDS_PARSE_OK], packets);
  EXPECT_EQ(program().counters().flows_created, frames.size());
  for (const PacketRecord& record : drained().packets)
    EXPECT_TRUE(record.bytes == frames[0] || record.bytes == frames[2]);
  EXPECT_EQ(records_.packets.size(), 20u);
  expect_ledger();
}

TEST_F(FirstPassProgram, FrameInOneBufferIsNotTakenForASplitOne) {
  program().set_frames_split(false);
  for (const std::size_t payload : {0u, 10u, 1'000u})
    for (const std::uint16_t port : {std::uint16_t{22}, std::uint16_t{9}})
      ingress(PacketBuilder{}.eth().ipv4().tcp({.dst_port = port}).payload_bytes(payload));
  ingress(Bytes(100));
  EXPECT_FALSE(program().frames_are_split());
}

TEST_F(FirstPassProgram, PaddingInTheSecondBufferIsCountedWhereFramesAreSplit) {
  const Bytes frame = PacketBuilder{}.eth().ipv4().tcp({.dst_port = 9}).padded_to(3'000).bytes();
  if (!program().ingress(frame, 100)) GTEST_SKIP() << "this kernel fills buffers itself";
  program().clear_tables();
  program().set_frames_split(true);
  EXPECT_TRUE(program().ingress(frame, 100));
  EXPECT_EQ(program().counters().seen[NIDS_INGRESS].bytes, 3'000u);
  expect_ledger();
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

TEST_F(FirstPassProgram, TagWithId0BesideTheFrameIsNoVlanButIsPutBack) {
  const auto ssh = [](PacketBuilder builder) { return builder.ipv4().tcp({.dst_port = 22}); };
  egress(ssh(PacketBuilder{}.eth()), {.tag_type = kEtherVlan, .tag_tci = 0xa000});
  egress(ssh(PacketBuilder{}.eth()));
  egress(ssh(PacketBuilder{}.eth().vlan(0)));                                 // the rare way
  egress(ssh(PacketBuilder{}.eth().vlan(0).vlan(0).vlan(0).vlan(0)));         // the whole way
  egress(PacketBuilder{}.eth().ipv4({.options = {1}}).tcp({.dst_port = 22}),  // likewise
         {.tag_type = kEtherVlan, .tag_tci = 0xa000});
  EXPECT_EQ(program().counters().flows_created, 1u) << "a tag with id 0 is not part of the flow";
  EXPECT_EQ(program().counters().parse[NIDS_PARSE_OK], 5u);
  ASSERT_EQ(drained().packets.size(), 5u);
  for (const PacketRecord& record : records_.packets) {
    EXPECT_EQ(record.head.packet.vlan_count, 0);
    EXPECT_EQ(record.head.packet.vlan[0], 0);
  }
  for (const std::size_t i : {0, 2, 4}) EXPECT_EQ(records_.packets[i].head.packet.l3_offset, 18);
  EXPECT_EQ(records_.packets[1].head.packet.l3_offset, 14);
  EXPECT_EQ(records_.packets[3].head.packet.l3_offset, 14 + 4 * 4);
  EXPECT_EQ(records_.packets[0].bytes, ssh(PacketBuilder{}.eth().vlan(0, {.priority = 5})).bytes());
  expect_ledger();
}

TEST_F(FirstPassProgram, TagBesideTheFrameCountsTowardsTheLimit) {
  const auto parsed = [&](std::size_t tags, const SkbFacts& facts) {
    program().clear_tables();
    egress(with_priority_tags(tags).ipv4().udp(), facts);
    return program().counters().parse[NIDS_PARSE_OK];
  };
  const SkbFacts beside{.tag_type = kEtherVlan, .tag_tci = 0};
  EXPECT_EQ(parsed(64, {}), 1u);
  EXPECT_EQ(parsed(63, beside), 1u);
  EXPECT_EQ(parsed(64, beside), 0u);
}

TEST_F(FirstPassProgram, LengthOf0IsTheRestOnlyBeforeSegmentation) {
  const SkbFacts gso{.gso_segments = 3, .gso_segment_len = 1400};
  const auto counted = [&](const PacketBuilder& builder, const SkbFacts& facts) {
    program().clear_tables();
    egress(builder, facts);
    const nids_counters counters = program().counters();
    expect_ledger();
    return counters;
  };
  const PacketBuilder v4 =
      PacketBuilder{}.eth().ipv4({.total_len = 0}).tcp({.dst_port = 22}).payload_bytes(3000);
  const PacketBuilder v6 =
      PacketBuilder{}.eth().ipv6({.payload_len = 0}).tcp({.dst_port = 22}).payload_bytes(3000);
  for (const PacketBuilder& super : {v4, v6}) {
    const nids_counters cut = counted(super, gso);
    EXPECT_EQ(cut.parse[NIDS_PARSE_OK], 3u);
    EXPECT_EQ(cut.classes[kSsh].packets, 3u);
    EXPECT_EQ(counted(super, {}).parse[NIDS_PARSE_BAD_LENGTH], 1u);
    program().clear_tables();
    ingress(super);
    EXPECT_EQ(program().counters().parse[NIDS_PARSE_BAD_LENGTH], 1u)
        << "XDP sees frames as on the wire";
  }
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

// By either hook of tc a packet is the same, but for its direction.
class TcHooks : public FirstPassProgram {
 protected:
  void expect_the_same(const PacketBuilder& packet, const SkbFacts& facts = {}) {
    program().clear_tables();
    EXPECT_EQ(egress(packet, facts), kTcUnspec);
    nids_counters by_egress = program().counters();
    const RingRecords of_egress = drained();
    program().clear_tables();
    EXPECT_EQ(ingress_tc(packet, facts), kTcUnspec);
    const nids_counters by_ingress = program().counters();
    drained();

    EXPECT_EQ(by_ingress.seen[NIDS_EGRESS].packets, 0u);
    EXPECT_GT(by_ingress.seen[NIDS_INGRESS].packets, 0u);
    std::swap(by_egress.seen[NIDS_INGRESS], by_egress.seen[NIDS_EGRESS]);
    EXPECT_EQ(std::memcmp(&by_ingress, &by_egress, sizeof(by_ingress)), 0);
    ASSERT_EQ(records_.packets.size(), of_egress.packets.size());
    for (std::size_t i = 0; i < records_.packets.size(); ++i) {
      nids_packet_event head = records_.packets[i].head;
      EXPECT_EQ(head.event.direction, NIDS_INGRESS);
      head.event = of_egress.packets[i].head.event;
      EXPECT_EQ(std::memcmp(&head, &of_egress.packets[i].head, sizeof(head)), 0);
      EXPECT_EQ(records_.packets[i].bytes, of_egress.packets[i].bytes);
    }
    expect_ledger();
  }
};

TEST_F(TcHooks, CountTheSameInTheirDirections) {
  const auto ssh = [](PacketBuilder builder) { return builder.ipv4().tcp({.dst_port = 22}); };
  expect_the_same(ssh(PacketBuilder{}.eth()));
  expect_the_same(ssh(PacketBuilder{}.eth().vlan(7)));              // the rare way
  expect_the_same(PacketBuilder{}.eth().ipv4().icmp());             // likewise
  expect_the_same(PacketBuilder{}.eth().ipv4().tcp({.flags = 0}));  // the whole way, and a finding
  expect_the_same(ssh(PacketBuilder{}.eth()), {.tag_type = kEtherVlan, .tag_tci = 0xe007});
  expect_the_same(ssh(PacketBuilder{}.eth()).payload_bytes(3000),
                  {.gso_segments = 3, .gso_segment_len = 1400});
  expect_the_same(ssh(PacketBuilder{}.eth()).payload_bytes(2801),
                  {.gso_segments = 0, .gso_segment_len = 1400});
}

TEST_F(TcHooks, CountSuperPacketsThatComeInAsTheWirePacketsTheyStandFor) {
  ingress_tc(PacketBuilder{}.eth().ipv4().tcp({.dst_port = 22}).payload_bytes(3000),
             {.gso_segments = 3, .gso_segment_len = 1400});
  const nids_counters counters = program().counters();
  EXPECT_EQ(counters.seen[NIDS_INGRESS].packets, 3u);
  EXPECT_EQ(counters.seen[NIDS_INGRESS].bytes, 3162u);
  EXPECT_EQ(counters.classes[kSsh].packets, 3u);
  ASSERT_EQ(drained().packets.size(), 1u);
  EXPECT_EQ(records_.packets[0].head.wire_packets, 3u);
  EXPECT_EQ(records_.packets[0].head.segment_len, 1400u);
}

TEST_F(TcHooks, CountTheTagBesideASuperPacketInEachSegment) {
  const auto bytes_of = [&](const PacketBuilder& super) {
    const nids_counters before = program().counters();
    ingress_tc(super,
               {.gso_segments = 3, .gso_segment_len = 1400, .tag_type = kEtherVlan, .tag_tci = 7});
    const nids_counters after = program().counters();
    return after.seen[NIDS_INGRESS].bytes - before.seen[NIDS_INGRESS].bytes;
  };
  constexpr std::uint64_t kWire = 3 * (14 + 4 + 20 + 20) + 3000;
  EXPECT_EQ(bytes_of(PacketBuilder{}.eth().ipv4().tcp({.dst_port = 22}).payload_bytes(3000)),
            kWire);
  // Findings take the whole way.
  EXPECT_EQ(bytes_of(PacketBuilder{}.eth().ipv4().tcp({.flags = 0}).payload_bytes(3000)), kWire);
  // A second tag, in the frame, takes the rare one.
  EXPECT_EQ(
      bytes_of(PacketBuilder{}.eth().vlan(9).ipv4().tcp({.dst_port = 22}).payload_bytes(3000)),
      kWire + 3 * 4);
  expect_ledger();
}

// What a segment repeats behind the headers that are read is not known: packets are exact, bytes
// are not, and that is told.
TEST_F(TcHooks, CountSuperPacketsOfUnreadTunnelsAsTheWirePacketsTheyStandFor) {
  const auto counted = [&](const PacketBuilder& super) {
    program().clear_tables();
    ingress_tc(super, {.gso_segments = 3, .gso_segment_len = 1400});
    expect_ledger();
    return program().counters();
  };
  const nids_counters mpls = counted(PacketBuilder{}.eth().mpls().ipv4().tcp().payload_bytes(3000));
  EXPECT_EQ(mpls.seen[NIDS_INGRESS].packets, 3u);
  EXPECT_EQ(mpls.parse[NIDS_PARSE_MPLS], 3u);
  EXPECT_EQ(mpls.gso_headers_unknown, 2u);
  const nids_counters geneve = counted(in_geneve().eth().ipv4().tcp().payload_bytes(3000));
  EXPECT_EQ(geneve.parse[NIDS_PARSE_GENEVE], 3u);
  EXPECT_EQ(geneve.gso_headers_unknown, 2u);
  for (const std::uint16_t port : {4789, 8472}) {
    const PacketBuilder super = PacketBuilder{}
                                    .eth()
                                    .ipv4()
                                    .udp({.src_port = 55'555, .dst_port = port})
                                    .vxlan()
                                    .eth()
                                    .ipv4()
                                    .tcp()
                                    .payload_bytes(3000);
    const nids_counters vxlan = counted(super);
    EXPECT_EQ(vxlan.gso_headers_unknown, 0u) << port;
    EXPECT_EQ(vxlan.seen[NIDS_INGRESS].bytes, super.bytes().size() + 2 * (50u + 54)) << port;
  }
}

TEST_F(TcHooks, PutTheTagOfWhatComesInBack) {
  ingress_tc(PacketBuilder{}.eth().ipv4().tcp({.dst_port = 22}),
             {.tag_type = kEtherVlan, .tag_tci = 0xe007});
  EXPECT_EQ(program().counters().seen[NIDS_INGRESS].bytes, 58u);
  ASSERT_EQ(drained().packets.size(), 1u);
  EXPECT_EQ(records_.packets[0].head.packet.vlan[0], 7);
  EXPECT_EQ(records_.packets[0].bytes,
            PacketBuilder{}.eth().vlan(7, {.priority = 7}).ipv4().tcp({.dst_port = 22}).bytes());
}

TEST_F(TcHooks, FeedOneFlow) {
  ingress_tc(PacketBuilder{}.eth().ipv4().tcp({.dst_port = 22, .flags = kTcpSyn}));
  egress(PacketBuilder{}
             .eth()
             .ipv4({.src = "10.0.0.2", .dst = "10.0.0.1"})
             .tcp({.src_port = 22, .dst_port = 40'000, .flags = kTcpSyn | kTcpAck}));
  EXPECT_EQ(program().counters().flows_created, 1u);
  EXPECT_EQ(program().counters().live.packets, 2u);
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

}  // namespace
}  // namespace nids
