// SPDX-License-Identifier: Apache-2.0
// The packets that more than one test looks at: honest ones with what each is when it is cut, and
// those that lie in one field. Owns expectations and runs nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "support/sample_packet.hpp"
#include "support/sample_tunnels.hpp"

namespace nids {

inline std::vector<HonestPacket> honest_packets() {
  std::vector<HonestPacket> all{
      honest_ip("TcpSyn",
                PacketBuilder{}.eth().ipv4().tcp(
                    {.flags = kTcpSyn, .options = {2, 4, 5, 180, 1, 3, 3, 7, 4, 2}}),
                34, 54),
      honest_ip("TcpData", PacketBuilder{}.eth().ipv4().tcp({.dst_port = 22}).payload("SSH-2.0-x"),
                34, 54),
      honest_ip("Udp", PacketBuilder{}.eth().ipv4().udp().payload("question"), 34, 42),
      honest_ip("IcmpEcho", PacketBuilder{}.eth().ipv4().icmp().payload("ping"), 34, 42),
      honest_ip("IcmpUnreachable",
                PacketBuilder{}.eth().ipv4().icmp({.type = kIcmpUnreachable, .code = 3}), 34, 42),
      honest_ip("Sctp", PacketBuilder{}.eth().ipv4().sctp().payload("chunk"), 34, 46),
      honest_ip("IgmpWithRouterAlert",
                PacketBuilder{}
                    .eth()
                    .ipv4({.dst = "224.0.0.251", .ttl = 1, .options = {148, 4, 0, 0}})
                    .igmp(),
                38, 38),
      honest_ip("IcmpErrorAboutUdp",
                PacketBuilder{}
                    .eth()
                    .ipv4()
                    .icmp({.type = kIcmpTimeExceeded})
                    .ipv4({.src = "10.0.0.2", .dst = "198.51.100.9"})
                    .udp(),
                34, 42),
      honest_ip("Icmpv6TooBig",
                PacketBuilder{}.eth().ipv6().icmpv6({.type = kIcmpv6PacketTooBig}).ipv6().tcp(), 54,
                62),
      honest_ip(
          "Ipv4LooseSourceRoute",
          PacketBuilder{}.eth().ipv4({.options = {1, 131, 7, 4, 10, 0, 0, 9}}).udp().payload("x"),
          42, 50),
      honest_ip("Ipv4Ah", PacketBuilder{}.eth().ipv4().ah().tcp().payload("x"), 34, 78),
      honest_ip("Ipv4WithAllOptions",
                PacketBuilder{}.eth().ipv4({.options = std::vector<std::uint8_t>(40, 1)}).tcp(), 74,
                94),
      honest_ip("OneVlan", PacketBuilder{}.eth().vlan(7).ipv4().tcp().payload("x"), 38, 58),
      honest_ip("ThreeVlans",
                PacketBuilder{}
                    .eth()
                    .vlan(7, {.tag_type = kEtherQinq})
                    .vlan(8, {.priority = 5})
                    .vlan(4095)
                    .ipv6()
                    .udp()
                    .payload("x"),
                66, 74),
      honest_ip("PriorityTag",
                PacketBuilder{}.eth().vlan(0, {.priority = 3}).ipv4().tcp().payload("x"), 38, 58),
      honest_ip("PriorityTagsAroundThreeVlans",
                PacketBuilder{}
                    .eth()
                    .vlan(0)
                    .vlan(7, {.tag_type = kEtherQinq})
                    .vlan(0)
                    .vlan(0, {.tag_type = kEtherQinq})
                    .vlan(8)
                    .vlan(9)
                    .vlan(0)
                    .ipv6()
                    .udp()
                    .payload("x"),
                82, 90),
      honest_ip(
          "FirstFragment",
          PacketBuilder{}.eth().ipv4({.more_fragments = true}).udp({.len = 4000}).payload_bytes(64),
          34, 42),
      honest_ip("LaterFragment",
                PacketBuilder{}
                    .eth()
                    .ipv4({.protocol = kProtoUdp, .fragment_offset_bytes = 1480})
                    .payload("late"),
                34, 34, NIDS_PARSE_LATER_FRAGMENT),
      honest_ip("Ipv6Tcp", PacketBuilder{}.eth().ipv6().tcp().payload("hello"), 54, 74),
      honest_ip("Ipv6Echo", PacketBuilder{}.eth().ipv6().icmpv6().payload("ping"), 54, 62),
      honest_ip("Ipv6NoNextHeader", PacketBuilder{}.eth().ipv6({.next_header = kProtoNoNext}), 54,
                54),
      honest_ip("Ipv6Extensions",
                PacketBuilder{}
                    .eth()
                    .ipv6()
                    .extension(kProtoHopByHop)
                    .extension(kProtoDestination, {.body_bytes = 22})
                    .extension(kProtoRouting)
                    .ah()
                    .tcp(),
                54, 138),
      honest_ip("Ipv6EightExtensions",
                PacketBuilder{}
                    .eth()
                    .ipv6()
                    .extension(kProtoHopByHop)
                    .extension(kProtoDestination)
                    .extension(kProtoRouting)
                    .fragment()
                    .extension(kProtoDestination)
                    .extension(kProtoMobility)
                    .extension(kProtoHip)
                    .extension(kProtoShim6)
                    .udp(),
                54, 126),
      honest_ip("Ipv6FirstFragment",
                PacketBuilder{}
                    .eth()
                    .ipv6()
                    .fragment({.more_fragments = true})
                    .udp({.len = 4000})
                    .payload_bytes(64),
                54, 70),
      honest_ip("Ipv6LaterFragment",
                PacketBuilder{}
                    .eth()
                    .ipv6()
                    .extension(kProtoHopByHop)
                    .fragment({.offset_bytes = 8, .next_header = kProtoTcp})
                    .payload("late"),
                54, 70, NIDS_PARSE_LATER_FRAGMENT),
  };
  const auto tunnels = honest_tunnel_packets();
  all.insert(all.end(), tunnels.begin(), tunnels.end());
  const Bytes ack = PacketBuilder{}.eth().ipv4().tcp().padded_to(60).bytes();
  all.push_back({"PaddedAck",
                 ack,
                 {{0, NIDS_PARSE_TRUNCATED}, {34, NIDS_PARSE_BAD_LENGTH}, {54, NIDS_PARSE_OK}},
                 {{0, NIDS_PARSE_UNAVAILABLE}, {54, NIDS_PARSE_OK}}});
  const Bytes arp = PacketBuilder{}.eth({.dst = "ff:ff:ff:ff:ff:ff"}).arp().padded_to(60).bytes();
  all.push_back({"Arp",
                 arp,
                 {{0, NIDS_PARSE_TRUNCATED}, {22, NIDS_PARSE_BAD_LENGTH}, {42, NIDS_PARSE_OK}},
                 {{0, NIDS_PARSE_UNAVAILABLE}, {22, NIDS_PARSE_OK}}});
  const Bytes lldp = PacketBuilder{}.eth({.ether_type = 0x88cc}).payload_bytes(46).bytes();
  all.push_back({"Lldp",
                 lldp,
                 {{0, NIDS_PARSE_TRUNCATED}, {14, NIDS_PARSE_NOT_IP}},
                 {{0, NIDS_PARSE_UNAVAILABLE}, {14, NIDS_PARSE_NOT_IP}}});
  const Bytes tags = PacketBuilder{}.eth().vlan(1).vlan(2).vlan(3).vlan(4).ipv4().udp().bytes();
  all.push_back({"FourVlans",
                 tags,
                 {{0, NIDS_PARSE_TRUNCATED}, {30, NIDS_PARSE_TOO_MANY_TAGS}},
                 {{0, NIDS_PARSE_UNAVAILABLE}, {30, NIDS_PARSE_TOO_MANY_TAGS}}});
  return all;
}

// `count` headers of destination options after the given headers.
inline PacketBuilder with_extensions(std::size_t count, PacketBuilder behind) {
  for (std::size_t i = 0; i < count; ++i) behind.extension(kProtoDestination);
  return behind;
}

inline PacketBuilder with_priority_tags(std::size_t count) {
  PacketBuilder builder;
  builder.eth();
  for (std::size_t i = 0; i < count; ++i) builder.vlan(0);
  return builder;
}

inline std::vector<LyingPacket> lying_ipv4_packets() {
  const auto frame = [](const Ipv4Fields& fields) {
    return PacketBuilder{}.eth().ipv4(fields).tcp().payload("x").bytes();
  };
  std::vector<LyingPacket> all{
      {"EtherTypeSaysIpv6", PacketBuilder{}.eth({.ether_type = kEtherIpv6}).ipv4().tcp().bytes(),
       NIDS_PARSE_BAD_HEADER},
      {"Version0", frame({.version = 0}), NIDS_PARSE_BAD_HEADER},
      {"Version6", frame({.version = 6}), NIDS_PARSE_BAD_HEADER},
      {"Version15", frame({.version = 15}), NIDS_PARSE_BAD_HEADER},
      {"IhlBeyondTotalLen", frame({.ihl_words = 15}), NIDS_PARSE_BAD_LENGTH},
      {"IhlBeyondTheFrame", frame({.ihl_words = 15, .total_len = 60}), NIDS_PARSE_TRUNCATED},
      {"TotalLen0", frame({.total_len = 0}), NIDS_PARSE_BAD_LENGTH},
      {"TotalLenBelowItsHeader", frame({.total_len = 19}), NIDS_PARSE_BAD_LENGTH},
      {"TotalLenOfItsHeaderOnly", frame({.total_len = 20}), NIDS_PARSE_BAD_LENGTH},
      {"TotalLenInsideTcp", frame({.total_len = 39}), NIDS_PARSE_BAD_LENGTH},
      {"TotalLenWithoutPayload", frame({.total_len = 40}), NIDS_PARSE_OK},
      {"TotalLenOneBeyondTheFrame", frame({.total_len = 42}), NIDS_PARSE_BAD_LENGTH},
      {"TotalLen65535", frame({.total_len = 65'535}), NIDS_PARSE_BAD_LENGTH},
      {"TotalLenInsideTheOptions", frame({.options = {1, 1, 1, 1}, .total_len = 23}),
       NIDS_PARSE_BAD_LENGTH},
      {"OptionLen0", frame({.options = {7, 0, 0, 0}}), NIDS_PARSE_OK},
      {"OptionLen1", frame({.options = {1, 7, 1, 0}}), NIDS_PARSE_OK},
      {"OptionLen255", frame({.options = {131, 255, 4, 0}}), NIDS_PARSE_OK},
      {"OptionWithoutALength", frame({.options = {1, 1, 1, 137}}), NIDS_PARSE_OK},
      {"AhBeyondThePayload", PacketBuilder{}.eth().ipv4().ah({.len = 255}).tcp().bytes(),
       NIDS_PARSE_BAD_LENGTH},
      {"AhInALaterFragment",
       PacketBuilder{}.eth().ipv4({.fragment_offset_bytes = 8}).ah().tcp().bytes(),
       NIDS_PARSE_LATER_FRAGMENT},
      {"Checksum", frame({.checksum = 0xdead}), NIDS_PARSE_OK},
      {"ProtocolUdp", frame({.protocol = kProtoUdp}), NIDS_PARSE_BAD_LENGTH},
      {"LaterFragmentWithPorts", frame({.fragment_offset_bytes = 8}), NIDS_PARSE_LATER_FRAGMENT},
      {"LastFragmentAt65528", frame({.fragment_offset_bytes = 65'528}), NIDS_PARSE_LATER_FRAGMENT},
  };
  for (std::uint8_t words = 0; words < 5; ++words)
    all.push_back(
        {"Ihl" + std::to_string(words), frame({.ihl_words = words}), NIDS_PARSE_BAD_HEADER});
  for (LyingPacket& packet : all) packet.name.insert(0, "Ipv4");
  return all;
}

inline std::vector<LyingPacket> lying_ipv6_packets() {
  const auto frame = [](const Ipv6Fields& fields) {
    return PacketBuilder{}.eth().ipv6(fields).tcp().payload("x").bytes();
  };
  const auto extended = [](std::uint8_t protocol, const ExtensionFields& fields) {
    return PacketBuilder{}.eth().ipv6().extension(protocol, fields).tcp().bytes();
  };
  const PacketBuilder ipv6 = PacketBuilder{}.eth().ipv6();
  const PacketBuilder hop_by_hop = PacketBuilder{}.eth().ipv6().extension(kProtoHopByHop);
  std::vector<LyingPacket> all{
      {"EtherTypeSaysIpv4", PacketBuilder{}.eth({.ether_type = kEtherIpv4}).ipv6().tcp().bytes(),
       NIDS_PARSE_BAD_HEADER},
      {"Version4", frame({.version = 4}), NIDS_PARSE_BAD_HEADER},
      {"Version0", frame({.version = 0}), NIDS_PARSE_BAD_HEADER},
      {"PayloadLen0", frame({.payload_len = 0}), NIDS_PARSE_BAD_LENGTH},
      {"PayloadLenInsideTcp", frame({.payload_len = 19}), NIDS_PARSE_BAD_LENGTH},
      {"PayloadLenWithoutPayload", frame({.payload_len = 20}), NIDS_PARSE_OK},
      {"PayloadLenOneBeyondTheFrame", frame({.payload_len = 22}), NIDS_PARSE_BAD_LENGTH},
      {"PayloadLen65535", frame({.payload_len = 65'535}), NIDS_PARSE_BAD_LENGTH},
      {"NoNextHeaderWithBytesBehind", frame({.next_header = kProtoNoNext}), NIDS_PARSE_OK},
      {"UnknownNextHeader", frame({.next_header = 200}), NIDS_PARSE_OK},
      {"NextHeaderIcmpOfVersion4", frame({.next_header = kProtoIcmp}), NIDS_PARSE_OK},
      {"ExtensionBeyondThePayload", extended(kProtoHopByHop, {.len = 255}), NIDS_PARSE_BAD_LENGTH},
      {"ExtensionOneUnitBeyond", extended(kProtoDestination, {.len = 3}), NIDS_PARSE_BAD_LENGTH},
      {"ExtensionSwallowsTcp", extended(kProtoDestination, {.len = 2}), NIDS_PARSE_BAD_LENGTH},
      {"ExtensionOfFourBytes",
       PacketBuilder{}.eth().ipv6({.next_header = kProtoRouting}).payload("1234").bytes(),
       NIDS_PARSE_TRUNCATED},
      {"ExtensionOfFourBytesBeforePadding",
       PacketBuilder{}
           .eth()
           .ipv6({.next_header = kProtoRouting})
           .payload("1234")
           .padded_to(70)
           .bytes(),
       NIDS_PARSE_BAD_LENGTH},
      {"AhWithoutLength", PacketBuilder{}.eth().ipv6().ah({.len = 0}).tcp().bytes(),
       NIDS_PARSE_BAD_HEADER},
      {"AhBeyondThePayload", PacketBuilder{}.eth().ipv6().ah({.len = 255}).tcp().bytes(),
       NIDS_PARSE_BAD_LENGTH},
      {"RoutingType0",
       PacketBuilder{}
           .eth()
           .ipv6()
           .extension(kProtoRouting, {.body_bytes = 22, .routing_type = std::uint8_t{0}})
           .udp()
           .bytes(),
       NIDS_PARSE_OK},
      {"RoutingType2",
       PacketBuilder{}
           .eth()
           .ipv6()
           .extension(kProtoRouting, {.body_bytes = 22, .routing_type = std::uint8_t{2}})
           .udp()
           .bytes(),
       NIDS_PARSE_OK},
      {"FragmentReservedLength",
       PacketBuilder{}.eth().ipv6().fragment({.reserved = 255}).tcp().bytes(), NIDS_PARSE_OK},
      {"FragmentInFragment",
       PacketBuilder{}.eth().ipv6().fragment().fragment({.offset_bytes = 8}).tcp().bytes(),
       NIDS_PARSE_LATER_FRAGMENT},
      {"PayloadLen0BeforeHopByHop",
       PacketBuilder{}
           .eth()
           .ipv6({.payload_len = 0})
           .extension(kProtoHopByHop)
           .tcp()
           .payload("x")
           .bytes(),
       NIDS_PARSE_OK},
      {"PayloadLen0BeforeDestinationOptions",
       PacketBuilder{}.eth().ipv6({.payload_len = 0}).extension(kProtoDestination).tcp().bytes(),
       NIDS_PARSE_BAD_LENGTH},
      {"UdpLen0", PacketBuilder{}.eth().ipv6().udp({.len = 0}).payload("x").bytes(), NIDS_PARSE_OK},
      {"UdpLen7", PacketBuilder{}.eth().ipv6().udp({.len = 7}).bytes(), NIDS_PARSE_BAD_LENGTH},
      {"NineExtensions", with_extensions(9, ipv6).tcp().bytes(), NIDS_PARSE_OK},
      {"AllExtensionsOfAnEthernetFrame", with_extensions(179, hop_by_hop).tcp().bytes(),
       NIDS_PARSE_OK},
      {"MostExtensions", with_extensions(192, ipv6).tcp().bytes(), NIDS_PARSE_OK},
      {"TooManyExtensions", with_extensions(193, ipv6).tcp().bytes(),
       NIDS_PARSE_TOO_MANY_EXTENSIONS},
  };
  for (LyingPacket& packet : all) packet.name.insert(0, "Ipv6");
  return all;
}

inline std::vector<LyingPacket> lying_transport_packets() {
  const auto tcp = [](const TcpFields& fields) {
    return PacketBuilder{}.eth().ipv4().tcp(fields).payload("abcd").bytes();
  };
  const auto udp = [](const UdpFields& fields, bool is_fragment = false) {
    return PacketBuilder{}
        .eth()
        .ipv4({.more_fragments = is_fragment})
        .udp(fields)
        .payload("abcd")
        .bytes();
  };
  const auto carried = [](std::uint8_t protocol, std::size_t bytes) {
    return PacketBuilder{}
        .eth()
        .ipv4({.protocol = protocol})
        .payload_bytes(bytes)
        .padded_to(60)
        .bytes();
  };
  std::vector<LyingPacket> all{
      {"TcpOffsetIntoPayload", tcp({.data_offset_words = 6}), NIDS_PARSE_OK},
      {"TcpOffsetBeyondTheSegment", tcp({.data_offset_words = 7}), NIDS_PARSE_BAD_LENGTH},
      {"TcpOffset15", tcp({.data_offset_words = 15}), NIDS_PARSE_BAD_LENGTH},
      {"TcpOptionsGoOnInTheNextFragment",
       PacketBuilder{}
           .eth()
           .ipv4({.more_fragments = true})
           .tcp({.data_offset_words = 15})
           .payload("abcd")
           .bytes(),
       NIDS_PARSE_OK},
      {"TcpFirstFragmentInsideTheHeader",
       PacketBuilder{}
           .eth()
           .ipv4({.protocol = kProtoTcp, .more_fragments = true})
           .payload_bytes(8)
           .padded_to(60)
           .bytes(),
       NIDS_PARSE_OK},
      {"TcpFirstFragmentInsideThePorts",
       PacketBuilder{}
           .eth()
           .ipv4({.protocol = kProtoTcp, .more_fragments = true})
           .payload_bytes(3)
           .padded_to(60)
           .bytes(),
       NIDS_PARSE_BAD_LENGTH},
      {"SctpFirstFragmentInsideTheHeader",
       PacketBuilder{}
           .eth()
           .ipv4({.protocol = kProtoSctp, .more_fragments = true})
           .payload_bytes(8)
           .bytes(),
       NIDS_PARSE_OK},
      {"MostPriorityTags", with_priority_tags(64).ipv4().udp().bytes(), NIDS_PARSE_OK},
      {"TooManyPriorityTags", with_priority_tags(65).ipv4().udp().bytes(),
       NIDS_PARSE_TOO_MANY_TAGS},
      {"TcpOptionLen0", tcp({.flags = kTcpSyn, .options = {2, 0, 5, 180}}), NIDS_PARSE_OK},
      {"TcpOptionLen255", tcp({.flags = kTcpSyn, .options = {8, 255, 0, 0}}), NIDS_PARSE_OK},
      {"TcpChecksum", tcp({.checksum = 0xdead}), NIDS_PARSE_OK},
      {"TcpAllFlags", tcp({.flags = 0xff}), NIDS_PARSE_OK},
      {"TcpNoFlags", tcp({.flags = 0}), NIDS_PARSE_OK},
      {"TcpPorts0", tcp({.src_port = 0, .dst_port = 0}), NIDS_PARSE_OK},
      {"TcpOf19Bytes", carried(kProtoTcp, 19), NIDS_PARSE_BAD_LENGTH},
      {"UdpLen0", udp({.len = 0}), NIDS_PARSE_BAD_LENGTH},
      {"UdpLen7", udp({.len = 7}), NIDS_PARSE_BAD_LENGTH},
      {"UdpLenWithoutPayload", udp({.len = 8}), NIDS_PARSE_OK},
      {"UdpLenOneBeyond", udp({.len = 13}), NIDS_PARSE_BAD_LENGTH},
      {"UdpLen65535", udp({.len = 65'535}), NIDS_PARSE_BAD_LENGTH},
      {"UdpLen65535OfAFirstFragment", udp({.len = 65'535}, true), NIDS_PARSE_OK},
      {"UdpLen7OfAFirstFragment", udp({.len = 7}, true), NIDS_PARSE_BAD_LENGTH},
      {"UdpOf7Bytes", carried(kProtoUdp, 7), NIDS_PARSE_BAD_LENGTH},
      {"SctpOf11Bytes", carried(kProtoSctp, 11), NIDS_PARSE_BAD_LENGTH},
      {"IgmpOf7Bytes", carried(kProtoIgmp, 7), NIDS_PARSE_BAD_LENGTH},
      {"IcmpOf7Bytes", carried(kProtoIcmp, 7), NIDS_PARSE_BAD_LENGTH},
      {"ArpHardwareLen255", PacketBuilder{}.eth().arp({.hardware_len = 255}).bytes(),
       NIDS_PARSE_BAD_LENGTH},
      {"ArpProtocolLen255", PacketBuilder{}.eth().arp({.protocol_len = 255}).bytes(),
       NIDS_PARSE_BAD_LENGTH},
      {"ArpWithoutAddresses",
       PacketBuilder{}.eth().arp({.hardware_len = 0, .protocol_len = 0}).bytes(), NIDS_PARSE_OK},
      {"VlanSaysNothingKnown",
       PacketBuilder{}.eth().vlan(7, {.ether_type = 0x1234}).ipv4().tcp().bytes(),
       NIDS_PARSE_NOT_IP},
      {"VlanSaysAnotherTag",
       PacketBuilder{}.eth().vlan(7, {.ether_type = kEtherVlan}).truncated_to(18).bytes(),
       NIDS_PARSE_TRUNCATED},
      {"EtherTypeIsALength", PacketBuilder{}.eth({.ether_type = 46}).payload_bytes(46).bytes(),
       NIDS_PARSE_NOT_IP},
  };
  for (std::uint8_t words = 0; words < 5; ++words)
    all.push_back({"TcpOffset" + std::to_string(words), tcp({.data_offset_words = words}),
                   NIDS_PARSE_BAD_HEADER});
  return all;
}

inline std::vector<LyingPacket> lying_packets() {
  std::vector<LyingPacket> all = lying_ipv4_packets();
  for (const auto& more : {lying_ipv6_packets(), lying_transport_packets(), lying_tunnel_packets()})
    all.insert(all.end(), more.begin(), more.end());
  return all;
}

}  // namespace nids
