// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <ostream>

#include "firstpass/twin.h"
#include "support/packet_builder.hpp"
#include "support/sample_packets.hpp"

namespace nids {

void PrintTo(const HonestPacket& packet, std::ostream* out) { *out << packet.name; }
void PrintTo(const LyingPacket& packet, std::ostream* out) { *out << packet.name; }

namespace {

// Heap memory of just that size, so that a sanitizer sees a read behind it.
std::unique_ptr<std::byte[]> exact_copy(std::span<const std::byte> bytes) {
  std::unique_ptr<std::byte[]> copy(new std::byte[bytes.size()]);
  std::ranges::copy(bytes, copy.get());
  return copy;
}

nids_packet parse(nids_twin_frame frame, std::span<const std::byte> readable) {
  const auto copy = exact_copy(readable);
  frame.bytes = copy.get();
  frame.captured_len = static_cast<std::uint32_t>(readable.size());
  nids_packet packet;
  nids_twin_parse(&frame, &packet, nullptr);
  return packet;
}

nids_packet parse(std::span<const std::byte> readable, std::size_t wire_len) {
  return parse({.wire_len = static_cast<std::uint32_t>(wire_len), .is_ethernet = 1}, readable);
}

nids_packet parse(const PacketBuilder& builder) {
  const Bytes frame = builder.bytes();
  return parse(frame, frame.size());
}

std::string key_of(int result) {
#define NIDS_TEST_KEY(name, key, meaning) key,
  static constexpr const char* kKeys[] = {NIDS_PARSE_RESULTS(NIDS_TEST_KEY)};
#undef NIDS_TEST_KEY
  return result < NIDS_PARSE_RESULT_COUNT ? kKeys[result] : "out of range";
}

nids_parse_result expected_at(std::span<const Cut> cuts, std::size_t length) {
  nids_parse_result result = cuts.front().result;
  for (const Cut& cut : cuts)
    if (length >= cut.length) result = cut.result;
  return result;
}

std::string hex(std::span<const std::uint8_t> bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes)
    text += "0123456789abcdef"[byte >> 4], text += "0123456789abcdef"[byte & 15];
  return text;
}

bool may_be_a_wrapping(const nids_packet& packet) {
  return packet.l4_proto == kProtoGre || packet.l4_proto == kProtoIpv4 ||
         packet.l4_proto == kProtoIpv6 ||
         (packet.l4_proto == kProtoUdp &&
          (packet.dst_port == kVxlanPort || packet.dst_port == kGenevePort));
}

void expect_consistent(const nids_packet& packet, std::size_t wire_len) {
  EXPECT_LE(packet.l3_offset, wire_len);
  if (packet.l4_offset != 0) {
    EXPECT_LE(packet.l3_offset, packet.l4_offset);
  }
  if (packet.payload_offset != 0) {
    EXPECT_LE(packet.l4_offset, packet.payload_offset);
  }
  EXPECT_LE(packet.payload_offset + packet.payload_len, wire_len);
  EXPECT_LE(packet.vlan_count, NIDS_VLAN_MAX);
  const bool is_flow = (packet.flags & NIDS_PACKET_IS_FLOW) != 0;
  if (packet.result == NIDS_PARSE_OK) {
    EXPECT_EQ(is_flow, packet.ip_version != 0);
  } else if (is_flow) {
    // Only what is wrapped can't be read then: the packet belongs to the flow of the wrapping.
    EXPECT_TRUE(packet.ip_version != 0 && may_be_a_wrapping(packet)) << int{packet.l4_proto};
  }
}

class EveryHonestPacket : public testing::TestWithParam<HonestPacket> {};
class EveryLyingPacket : public testing::TestWithParam<LyingPacket> {};

const auto name_of = [](const auto& info) { return info.param.name; };
INSTANTIATE_TEST_SUITE_P(Parse, EveryHonestPacket, testing::ValuesIn(honest_packets()), name_of);
INSTANTIATE_TEST_SUITE_P(Parse, EveryLyingPacket, testing::ValuesIn(lying_packets()), name_of);

TEST_P(EveryHonestPacket, CutOnTheWireAtAnyLengthIsTruncatedOrABadLength) {
  const HonestPacket& whole = GetParam();
  for (std::size_t length = 0; length <= whole.frame.size(); ++length) {
    SCOPED_TRACE(length);
    const nids_packet packet = parse(std::span(whole.frame).first(length), length);
    EXPECT_EQ(key_of(packet.result), key_of(expected_at(whole.on_wire, length)));
    expect_consistent(packet, length);
  }
}

TEST_P(EveryHonestPacket, CutByTheCaptureAtAnyLengthIsUnavailableUntilItsHeadersAreThere) {
  const HonestPacket& whole = GetParam();
  for (std::size_t length = 0; length <= whole.frame.size(); ++length) {
    SCOPED_TRACE(length);
    const nids_packet packet = parse(std::span(whole.frame).first(length), whole.frame.size());
    EXPECT_EQ(key_of(packet.result), key_of(expected_at(whole.captured, length)));
    expect_consistent(packet, whole.frame.size());
  }
}

TEST_P(EveryLyingPacket, HasTheResultOfItsLie) {
  const LyingPacket& lie = GetParam();
  const nids_packet packet = parse(lie.frame, lie.frame.size());
  EXPECT_EQ(key_of(packet.result), key_of(lie.result));
  expect_consistent(packet, lie.frame.size());
}

TEST_P(EveryLyingPacket, CutAnywhereNeverReadsBeyondWhatItHas) {
  const LyingPacket& lie = GetParam();
  for (std::size_t length = 0; length <= lie.frame.size(); ++length) {
    SCOPED_TRACE(length);
    const auto cut = std::span(lie.frame).first(length);
    expect_consistent(parse(cut, length), length);
    expect_consistent(parse(cut, lie.frame.size()), lie.frame.size());
  }
}

TEST(Parse, TcpOverIpv4IsReadWhole) {
  const nids_packet packet = parse(PacketBuilder{}
                                       .eth()
                                       .ipv4({.src = "192.0.2.1", .dst = "198.51.100.7"})
                                       .tcp({.src_port = 50'000,
                                             .dst_port = 22,
                                             .flags = kTcpSyn | kTcpAck,
                                             .options = {2, 4, 5, 180}})
                                       .payload("abc"));
  EXPECT_EQ(key_of(packet.result), "ok");
  EXPECT_EQ(packet.network, NIDS_NETWORK_IPV4);
  EXPECT_EQ(packet.transport, NIDS_TRANSPORT_TCP);
  EXPECT_EQ(packet.ip_version, 4);
  EXPECT_EQ(packet.l4_proto, kProtoTcp);
  EXPECT_EQ(packet.ether_type, kEtherIpv4);
  EXPECT_EQ(hex(packet.src), "c0000201000000000000000000000000");
  EXPECT_EQ(hex(packet.dst), "c6336407000000000000000000000000");
  EXPECT_EQ(packet.src_port, 50'000);
  EXPECT_EQ(packet.dst_port, 22);
  EXPECT_EQ(packet.tcp_flags, kTcpSyn | kTcpAck);
  EXPECT_EQ(packet.l3_offset, 14);
  EXPECT_EQ(packet.l4_offset, 34);
  EXPECT_EQ(packet.payload_offset, 58);
  EXPECT_EQ(packet.payload_len, 3u);
  EXPECT_EQ(packet.flags, NIDS_PACKET_HAS_PORTS | NIDS_PACKET_IS_FLOW);
}

TEST(Parse, PaddingIsNotPayload) {
  EXPECT_EQ(parse(PacketBuilder{}.eth().ipv4().tcp().padded_to(60)).payload_len, 0u);
  EXPECT_EQ(parse(PacketBuilder{}.eth().ipv4().udp().payload("x").padded_to(60)).payload_len, 1u);
  EXPECT_EQ(parse(PacketBuilder{}.eth().ipv6().udp().payload("x").padded_to(90)).payload_len, 1u);
}

TEST(Parse, UdpLengthTellsItsPayloadFromWhatTheIpHeaderGrantsBehindIt) {
  EXPECT_EQ(parse(PacketBuilder{}.eth().ipv4().udp({.len = 10}).payload("abcd")).payload_len, 2u);
}

TEST(Parse, VlanIdsAreKeptOutermostFirstWithoutTheirPriority) {
  const nids_packet packet = parse(PacketBuilder{}
                                       .eth()
                                       .vlan(100, {.tag_type = kEtherQinq, .priority = 7})
                                       .vlan(4095)
                                       .vlan(1)
                                       .ipv4()
                                       .udp());
  EXPECT_EQ(key_of(packet.result), "ok");
  EXPECT_EQ(packet.vlan_count, 3);
  EXPECT_EQ(packet.vlan[0], 100);
  EXPECT_EQ(packet.vlan[1], 4095);
  EXPECT_EQ(packet.vlan[2], 1);
  EXPECT_EQ(packet.l3_offset, 26);
}

TEST(Parse, TagWithId0IsNoVlanWhereverItIs) {
  for (const std::size_t before : {0, 1, 5})
    for (const std::size_t behind : {0, 1, 7}) {
      PacketBuilder builder = with_priority_tags(before).vlan(7).vlan(0).vlan(8);
      for (std::size_t i = 0; i < behind; ++i) builder.vlan(0, {.priority = 5});
      const nids_packet packet = parse(builder.ipv4().udp({.dst_port = 123}));
      EXPECT_EQ(key_of(packet.result), "ok");
      EXPECT_EQ(packet.vlan_count, 2);
      EXPECT_EQ(packet.vlan[0], 7);
      EXPECT_EQ(packet.vlan[1], 8);
      EXPECT_EQ(packet.vlan[2], 0);
      EXPECT_EQ(packet.l3_offset, 14 + 4 * (before + 3 + behind));
      EXPECT_EQ(packet.dst_port, 123);
    }
  const nids_packet only = parse(with_priority_tags(9).ipv4().udp());
  EXPECT_EQ(key_of(only.result), "ok");
  EXPECT_EQ(only.vlan_count, 0);
  EXPECT_EQ(only.l3_offset, 14 + 9 * 4);
}

TEST(Parse, FourVlansAreTooManyAndTheFirstThreeAreKept) {
  const nids_packet packet =
      parse(PacketBuilder{}.eth().vlan(1).vlan(0).vlan(2).vlan(3).vlan(4).ipv4().udp());
  EXPECT_EQ(key_of(packet.result), "too_many_tags");
  EXPECT_EQ(packet.vlan_count, 3);
  EXPECT_EQ(packet.vlan[2], 3);
}

TEST(Parse, Ipv6AddressesAndTransportBehindExtensionsAreRead) {
  const nids_packet packet = parse(PacketBuilder{}
                                       .eth()
                                       .ipv6({.src = "fe80::1", .dst = "ff02::fb"})
                                       .extension(kProtoHopByHop)
                                       .ah({.icv_bytes = 16})
                                       .udp({.src_port = 5353, .dst_port = 5353})
                                       .payload("mdns"));
  EXPECT_EQ(key_of(packet.result), "ok");
  EXPECT_EQ(packet.network, NIDS_NETWORK_IPV6);
  EXPECT_EQ(packet.transport, NIDS_TRANSPORT_UDP);
  EXPECT_EQ(packet.l4_proto, kProtoUdp);
  EXPECT_EQ(hex(packet.src), "fe800000000000000000000000000001");
  EXPECT_EQ(hex(packet.dst), "ff0200000000000000000000000000fb");
  EXPECT_EQ(packet.l4_offset, 54 + 8 + 28);
  EXPECT_EQ(packet.payload_len, 4u);
}

TEST(Parse, FirstFragmentHasPortsAndIsAFlow) {
  const nids_packet v4 = parse(
      PacketBuilder{}.eth().ipv4({.more_fragments = true}).udp({.len = 4000}).payload_bytes(64));
  EXPECT_EQ(v4.flags, NIDS_PACKET_FIRST_FRAGMENT | NIDS_PACKET_HAS_PORTS | NIDS_PACKET_IS_FLOW);
  EXPECT_EQ(v4.dst_port, 53);
  EXPECT_EQ(v4.payload_len, 64u);

  const nids_packet v6 = parse(
      PacketBuilder{}.eth().ipv6().fragment({.more_fragments = true}).tcp().payload_bytes(64));
  EXPECT_EQ(v6.flags, NIDS_PACKET_FIRST_FRAGMENT | NIDS_PACKET_HAS_PORTS | NIDS_PACKET_IS_FLOW);
  EXPECT_EQ(v6.dst_port, 80);
}

TEST(Parse, WholePacketInAFragmentHeaderIsNoFragment) {
  const nids_packet packet = parse(PacketBuilder{}.eth().ipv6().fragment().udp());
  EXPECT_EQ(packet.flags, NIDS_PACKET_HAS_PORTS | NIDS_PACKET_IS_FLOW);
}

TEST(Parse, LaterFragmentIsNeverReadAsPorts) {
  const nids_packet v4 = parse(PacketBuilder{}.eth().ipv4({.fragment_offset_bytes = 8}).tcp());
  const nids_packet v6 = parse(
      PacketBuilder{}.eth().ipv6().fragment({.offset_bytes = 8, .more_fragments = true}).tcp());
  for (const nids_packet& packet : {v4, v6}) {
    EXPECT_EQ(key_of(packet.result), "later_fragment");
    EXPECT_EQ(packet.transport, NIDS_TRANSPORT_FRAGMENT);
    EXPECT_EQ(packet.l4_proto, kProtoTcp);
    EXPECT_EQ(packet.src_port, 0);
    EXPECT_EQ(packet.dst_port, 0);
    EXPECT_EQ(packet.flags, 0);
  }
}

TEST(Parse, FirstFragmentWhoseTcpOptionsGoOnInTheNextCannotHideItsPorts) {
  const nids_packet packet = parse(PacketBuilder{}
                                       .eth()
                                       .ipv4({.more_fragments = true})
                                       .tcp({.dst_port = 22, .data_offset_words = 15})
                                       .payload("12345678"));
  EXPECT_EQ(key_of(packet.result), "ok");
  EXPECT_EQ(packet.dst_port, 22);
  EXPECT_EQ(packet.payload_len, 0u);
}

TEST(Parse, EchoIdentifierStandsForBothPortsAndOtherMessagesHaveWhatTheySay) {
  const nids_packet request = parse(PacketBuilder{}.eth().ipv4().icmp({.id = 99}));
  EXPECT_EQ(request.src_port, 99);
  EXPECT_EQ(request.dst_port, 99);
  EXPECT_EQ(request.icmp_type, kIcmpEcho);
  EXPECT_EQ(request.flags, NIDS_PACKET_IS_FLOW);

  const nids_packet reply =
      parse(PacketBuilder{}.eth().ipv6().icmpv6({.type = kIcmpv6EchoReply, .id = 99}));
  EXPECT_EQ(reply.src_port, 99);

  const nids_packet unreachable =
      parse(PacketBuilder{}.eth().ipv4().icmp({.type = kIcmpUnreachable, .code = 3, .id = 99}));
  EXPECT_EQ(unreachable.src_port, kIcmpUnreachable << 8 | 3);
  EXPECT_EQ(unreachable.dst_port, 0) << "nothing answers it";
  EXPECT_EQ(unreachable.icmp_type, kIcmpUnreachable);
  EXPECT_EQ(unreachable.icmp_code, 3);

  // Type 128 means an echo in ICMPv6 only, type 8 in ICMP only.
  EXPECT_EQ(parse(PacketBuilder{}.eth().ipv4().icmp({.type = kIcmpv6Echo})).src_port, 128 << 8);
  EXPECT_EQ(parse(PacketBuilder{}.eth().ipv6().icmpv6({.type = kIcmpEcho})).src_port, 8 << 8);

  // What asks and what answers say both types, each in its own place.
  const nids_packet asks = parse(PacketBuilder{}.eth().ipv4().icmp({.type = kIcmpTimestamp}));
  const nids_packet answers = parse(PacketBuilder{}.eth().ipv4().icmp({.type = 14}));
  EXPECT_EQ(asks.src_port, 13 << 8);
  EXPECT_EQ(asks.dst_port, 14 << 8);
  EXPECT_EQ(answers.src_port, asks.dst_port);
  EXPECT_EQ(answers.dst_port, asks.src_port);
}

TEST(Parse, EveryTransportHasItsName) {
  EXPECT_EQ(parse(PacketBuilder{}.eth().ipv4().sctp()).transport, NIDS_TRANSPORT_SCTP);
  EXPECT_EQ(parse(PacketBuilder{}.eth().ipv4().igmp()).transport, NIDS_TRANSPORT_IGMP);
  EXPECT_EQ(parse(PacketBuilder{}.eth().ipv4().icmp()).transport, NIDS_TRANSPORT_ICMP);
  EXPECT_EQ(parse(PacketBuilder{}.eth().ipv6().icmpv6()).transport, NIDS_TRANSPORT_ICMPV6);
  EXPECT_EQ(parse(PacketBuilder{}.eth().ipv4().payload("?")).transport, NIDS_TRANSPORT_OTHER);
  EXPECT_EQ(parse(PacketBuilder{}.eth().arp()).transport, NIDS_TRANSPORT_COUNT);
}

TEST(Parse, ProtocolWithoutPortsIsAFlowWithoutPorts) {
  const nids_packet packet =
      parse(PacketBuilder{}.eth().ipv4({.protocol = kProtoOspf}).payload_bytes(40));
  EXPECT_EQ(packet.flags, NIDS_PACKET_IS_FLOW);
  EXPECT_EQ(packet.l4_proto, kProtoOspf);
  EXPECT_EQ(packet.src_port, 0);
  EXPECT_EQ(packet.payload_len, 40u);
}

TEST(Parse, FirstFragmentThatEndsInsideTheHeaderCannotHideItsPorts) {
  const auto parsed = [](std::uint8_t protocol, std::size_t bytes, bool is_ipv6 = false) {
    PacketBuilder builder;
    builder.eth();
    if (is_ipv6)
      builder.ipv6().fragment({.more_fragments = true, .next_header = protocol});
    else
      builder.ipv4({.protocol = protocol, .more_fragments = true});
    return parse(
        builder.payload(std::string("\x9c\x40\x00\x16", 4) + std::string(bytes - 4, '\xff')));
  };
  for (const bool is_ipv6 : {false, true})
    for (const std::size_t bytes : {4, 8, 16, 19}) {
      const nids_packet packet = parsed(kProtoTcp, bytes, is_ipv6);
      EXPECT_EQ(key_of(packet.result), "ok");
      EXPECT_EQ(packet.flags,
                NIDS_PACKET_FIRST_FRAGMENT | NIDS_PACKET_HAS_PORTS | NIDS_PACKET_IS_FLOW);
      EXPECT_EQ(packet.src_port, 40'000);
      EXPECT_EQ(packet.dst_port, 22);
      EXPECT_EQ(packet.tcp_flags, 0) << "the flags are in the next fragment";
      EXPECT_EQ(packet.quirks, NIDS_QUIRK_TINY_FRAGMENT);
      EXPECT_EQ(packet.payload_len, 0u);
      EXPECT_EQ(packet.payload_offset, packet.l4_offset + bytes);
    }
  EXPECT_EQ(parsed(kProtoTcp, 20).quirks, 0);
  for (const std::size_t bytes : {4, 8, 11}) {
    EXPECT_EQ(parsed(kProtoSctp, bytes).dst_port, 22);
    EXPECT_EQ(parsed(kProtoSctp, bytes).quirks, 0);
  }
  const nids_packet udp = parse(
      PacketBuilder{}.eth().ipv4({.more_fragments = true}).udp({.dst_port = 69, .len = 4000}));
  EXPECT_EQ(key_of(udp.result), "ok") << "the fragment holds the whole header";
  EXPECT_EQ(udp.dst_port, 69);
  EXPECT_EQ(udp.payload_len, 0u);
}

TEST(Parse, UdpLengthOf0IsTheRestOverIpv6AndWrongOverIpv4) {
  const nids_packet v6 = parse(
      PacketBuilder{}.eth().ipv6().udp({.dst_port = 69, .len = 0}).payload("get").padded_to(90));
  EXPECT_EQ(key_of(v6.result), "ok");
  EXPECT_EQ(v6.dst_port, 69);
  EXPECT_EQ(v6.payload_len, 3u);
  EXPECT_EQ(key_of(parse(PacketBuilder{}.eth().ipv4().udp({.len = 0}).payload("get")).result),
            "bad_length");
}

TEST(Parse, PayloadLengthOf0BeforeHopByHopOptionsIsTheRestOfTheFrame) {
  const nids_packet packet = parse(PacketBuilder{}
                                       .eth()
                                       .ipv6({.payload_len = 0})
                                       .extension(kProtoHopByHop)
                                       .tcp({.dst_port = 22})
                                       .payload("abc"));
  EXPECT_EQ(key_of(packet.result), "ok");
  EXPECT_EQ(packet.dst_port, 22);
  EXPECT_EQ(packet.payload_len, 3u);
  EXPECT_EQ(key_of(parse(PacketBuilder{}.eth().ipv6({.payload_len = 0}).tcp()).result),
            "bad_length");
}

TEST(Parse, LengthOf0IsTheRestOfTheFrameBeforeSegmentation) {
  const auto before_the_cut = [](const PacketBuilder& builder) {
    const Bytes frame = builder.bytes();
    return parse({.wire_len = static_cast<std::uint32_t>(frame.size()),
                  .is_ethernet = 1,
                  .zero_means_rest = 1},
                 frame);
  };
  const auto v4 = [] { return PacketBuilder{}.eth().ipv4({.total_len = 0}); };
  const auto v6 = [] { return PacketBuilder{}.eth().ipv6({.payload_len = 0}); };
  for (const PacketBuilder& builder :
       {v4().tcp({.dst_port = 22}).payload("abc"), v6().tcp({.dst_port = 22}).payload("abc"),
        in_gre().ipv4({.total_len = 0}).tcp({.dst_port = 22}).payload("abc")}) {
    EXPECT_EQ(key_of(parse(builder).result), "bad_length");
    const nids_packet packet = before_the_cut(builder);
    EXPECT_EQ(key_of(packet.result), "ok");
    EXPECT_EQ(packet.dst_port, 22);
    EXPECT_EQ(packet.payload_len, 3u);
  }
  // Only TCP may have length 0 before segmentation.
  EXPECT_EQ(key_of(before_the_cut(v4().udp().payload("abc")).result), "bad_length");
  EXPECT_EQ(key_of(before_the_cut(v6().udp().payload("abc")).result), "bad_length");
}

TEST(Parse, PacketWithAWrongLengthHasASenderAndNoFlow) {
  for (const PacketBuilder& builder : {PacketBuilder{}.eth().ipv4({.total_len = 9000}).tcp(),
                                       PacketBuilder{}.eth().ipv4({.total_len = 0}).tcp(),
                                       PacketBuilder{}.eth().ipv4({.ihl_words = 4}).tcp()}) {
    const nids_packet packet = parse(builder);
    EXPECT_EQ(packet.ip_version, 4);
    EXPECT_EQ(packet.l4_proto, kProtoTcp);
    EXPECT_EQ(hex(packet.src).substr(0, 8), "0a000001");
    EXPECT_EQ(hex(packet.dst).substr(0, 8), "0a000002");
    EXPECT_EQ(packet.transport, NIDS_TRANSPORT_COUNT);
    EXPECT_EQ(packet.flags, 0);
    EXPECT_EQ(packet.src_port, 0);
  }
  const nids_packet v6 = parse(PacketBuilder{}.eth().ipv6({.payload_len = 9000}).udp());
  EXPECT_EQ(key_of(v6.result), "bad_length");
  EXPECT_EQ(v6.ip_version, 6);
  EXPECT_EQ(hex(v6.src), "20010db8000000000000000000000001");
  EXPECT_EQ(v6.flags, 0);
  // A header of an unknown version has no addresses.
  EXPECT_EQ(parse(PacketBuilder{}.eth().ipv4({.version = 5}).tcp()).ip_version, 0);
  EXPECT_EQ(parse(PacketBuilder{}.eth().ipv6({.version = 5}).tcp()).ip_version, 0);
}

TEST(Parse, FrameTooLongForItsLengthFieldIsTakenFromTheFrame) {
  constexpr std::size_t kPayload = 100'000;
  const nids_packet v4 =
      parse(PacketBuilder{}.eth().ipv4({.total_len = 0}).tcp().payload_bytes(kPayload));
  EXPECT_EQ(key_of(v4.result), "ok");
  EXPECT_EQ(v4.payload_len, kPayload);

  const nids_packet v6 =
      parse(PacketBuilder{}.eth().ipv6({.payload_len = 0}).tcp().payload_bytes(kPayload));
  EXPECT_EQ(key_of(v6.result), "ok");
  EXPECT_EQ(v6.payload_len, kPayload);

  const nids_packet jumbogram =
      parse(PacketBuilder{}.eth().ipv6({.payload_len = 0}).udp({.len = 0}).payload_bytes(kPayload));
  EXPECT_EQ(key_of(jumbogram.result), "ok");
  EXPECT_EQ(jumbogram.payload_len, kPayload);
}

TEST(Parse, LongestExtensionHeadersStayInsideTheOffsets) {
  const auto parsed = [](int count, PacketBuilder builder) {
    builder.ipv6();
    for (int i = 0; i < count; ++i)
      builder.extension(kProtoDestination, {.body_bytes = 256 * 8 - 2});
    return parse(builder.tcp().payload("end"));
  };
  const nids_packet most = parsed(29, PacketBuilder{}.eth().vlan(1).vlan(2).vlan(3));
  EXPECT_EQ(key_of(most.result), "ok");
  EXPECT_EQ(most.l4_offset, 14 + 12 + 40 + 29 * 2048);
  EXPECT_EQ(most.payload_len, 3u);
  // After more headers an offset might not fit into 16 bits.
  EXPECT_EQ(key_of(parsed(30, PacketBuilder{}.eth()).result), "too_many_extensions");
  EXPECT_EQ(key_of(parsed(29, in_vxlan().eth()).result), "ok");
  EXPECT_EQ(key_of(parsed(30, in_vxlan().eth()).result), "too_many_extensions");
}

TEST(Parse, FrameWithoutEthernetBeginsAtItsNetworkHeader) {
  const Bytes datagram = PacketBuilder{}.ipv4().udp().payload("x").bytes();
  const auto wire_len = static_cast<std::uint32_t>(datagram.size());
  const nids_packet raw = parse({.wire_len = wire_len, .ether_type = kEtherIpv4}, datagram);
  EXPECT_EQ(key_of(raw.result), "ok");
  EXPECT_EQ(raw.l3_offset, 0);
  EXPECT_EQ(raw.l4_offset, 20);

  Bytes cooked(16);
  cooked.insert(cooked.end(), datagram.begin(), datagram.end());
  const nids_packet behind =
      parse({.wire_len = wire_len + 16, .l3_offset = 16, .ether_type = kEtherIpv4}, cooked);
  EXPECT_EQ(key_of(behind.result), "ok");
  EXPECT_EQ(behind.l3_offset, 16);
  EXPECT_EQ(behind.dst_port, 53);
}

TEST(Parse, FrameWithoutEthernetMayHaveVlanTagsOrNothingKnown) {
  const Bytes tagged = PacketBuilder{}.vlan(7).ipv4().udp().bytes();
  const auto wire_len = static_cast<std::uint32_t>(tagged.size());
  const nids_packet packet = parse({.wire_len = wire_len, .ether_type = kEtherVlan}, tagged);
  EXPECT_EQ(key_of(packet.result), "ok");
  EXPECT_EQ(packet.vlan[0], 7);
  EXPECT_EQ(key_of(parse({.wire_len = wire_len}, tagged).result), "not_ip");
}

TEST(Parse, NetworkHeaderBeyondTheBytesIsNotRead) {
  const Bytes short_frame(10);
  const nids_twin_frame beyond{.l3_offset = 16, .ether_type = kEtherIpv4};
  nids_twin_frame on_wire = beyond;
  on_wire.wire_len = 10;
  EXPECT_EQ(key_of(parse(on_wire, short_frame).result), "truncated");
  nids_twin_frame snapped = beyond;
  snapped.wire_len = 100;
  EXPECT_EQ(key_of(parse(snapped, short_frame).result), "unavailable");
}

}  // namespace
}  // namespace nids
