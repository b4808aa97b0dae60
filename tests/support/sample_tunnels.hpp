// SPDX-License-Identifier: Apache-2.0
// Packets in packets: honest ones, and those that lie in a field of the wrapping or of what is
// wrapped. Owns expectations and runs nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "support/sample_packet.hpp"

namespace nids {

inline PacketBuilder in_gre(const GreFields& fields = {}) {
  return PacketBuilder{}.eth().ipv4({.src = "192.0.2.1", .dst = "192.0.2.2"}).gre(fields);
}
inline PacketBuilder in_ipv4(const Ipv4Fields& fields = {.src = "192.0.2.1", .dst = "192.0.2.2"}) {
  return PacketBuilder{}.eth().ipv4(fields);
}
inline PacketBuilder in_vxlan(const VxlanFields& fields = {}) {
  return PacketBuilder{}
      .eth()
      .ipv4({.src = "192.0.2.1", .dst = "192.0.2.2"})
      .udp({.src_port = 55'555, .dst_port = kVxlanPort})
      .vxlan(fields);
}
inline PacketBuilder in_geneve(const GeneveFields& fields = {}) {
  return PacketBuilder{}.eth().ipv4().udp({.dst_port = kGenevePort}).geneve(fields);
}

inline std::vector<HonestPacket> honest_tunnel_packets() {
  std::vector<HonestPacket> all{
      honest_ip("GreOfAProtocolThatIsNotLookedInto",
                in_gre({.protocol = std::uint16_t{0x880b}}).payload_bytes(24), 34, 38),
      honest_ip("GreIpv4", in_gre().ipv4().tcp().payload("x"), 34, 78),
      honest_ip("GreIpv6", in_gre().ipv6().udp().payload("x"), 34, 86),
      honest_ip("GreWithAllItsWords",
                in_gre({.has_checksum = true, .key = 7, .sequence = 9}).ipv4().udp(), 34, 78),
      honest_ip("GreKey", in_gre({.key = 0xdeadbeef}).ipv4().udp(), 34, 70),
      honest_ip("GreEthernet", in_gre().eth().vlan(9).ipv4().icmp(), 34, 84),
      honest_ip("GreOverIpv6", PacketBuilder{}.eth().ipv6().gre().ipv4().udp().payload("x"), 54,
                86),
      honest_ip("Ipv4InIpv4", in_ipv4().ipv4({.src = "172.16.0.1"}).udp(), 34, 62),
      honest_ip("Ipv6InIpv4", in_ipv4().ipv6().tcp().payload("6in4"), 34, 94),
      honest_ip("Ipv4InIpv6", PacketBuilder{}.eth().ipv6().ipv4().sctp(), 54, 86),
      honest_ip("Ipv6InIpv6BehindOptions",
                PacketBuilder{}.eth().ipv6().extension(kProtoDestination).ipv6().icmpv6(), 54, 110),
      honest_ip("VxlanIpv4", in_vxlan().eth().ipv4().tcp().payload("x"), 34, 104),
      honest_ip("VxlanIpv6WithATag", in_vxlan().eth().vlan(5).ipv6().udp(), 34, 116),
      honest_ip("VxlanArp", in_vxlan().eth().arp(), 34, 72),
      honest_ip("VxlanLldp", in_vxlan().eth({.ether_type = std::uint16_t{0x88cc}}).payload("lldp"),
                34, 64, NIDS_PARSE_NOT_IP),
      honest_ip("VxlanLaterFragment",
                in_vxlan()
                    .eth()
                    .ipv4({.protocol = kProtoUdp, .fragment_offset_bytes = 1480})
                    .payload("late"),
                34, 84, NIDS_PARSE_LATER_FRAGMENT),
      honest_ip("VxlanInAVlan",
                PacketBuilder{}
                    .eth()
                    .vlan(7)
                    .ipv4()
                    .udp({.dst_port = kVxlanPort})
                    .vxlan()
                    .eth()
                    .ipv4()
                    .udp(),
                38, 96),
      honest_ip("GeneveIpv4", in_geneve().ipv4().udp(), 34, 50, NIDS_PARSE_GENEVE),
      honest_ip("GeneveEthernetBehindOptions", in_geneve({.option_words = 3}).eth().ipv4().udp(),
                34, 50, NIDS_PARSE_GENEVE),
      honest_ip("TunnelInATunnel", in_gre().ipv4().ipv4().udp(), 34, 58),
      honest_ip("FirstFragmentOfATunnel",
                PacketBuilder{}.eth().ipv4({.more_fragments = true}).ipv4().udp(), 34, 34),
  };
  const auto named_only = [&all](std::string name, const PacketBuilder& builder,
                                 nids_parse_result result) {
    all.push_back({std::move(name),
                   builder.bytes(),
                   {{0, NIDS_PARSE_TRUNCATED}, {14, result}},
                   {{0, NIDS_PARSE_UNAVAILABLE}, {14, result}}});
  };
  named_only("Mpls", PacketBuilder{}.eth().mpls().ipv4().udp(), NIDS_PARSE_MPLS);
  named_only("MplsOfTwoLabels", PacketBuilder{}.eth().mpls().mpls({.label = 17}).ipv6().udp(),
             NIDS_PARSE_MPLS);
  named_only("MplsMulticast",
             PacketBuilder{}.eth({.ether_type = kEtherMplsMulticast}).mpls().ipv4(),
             NIDS_PARSE_MPLS);
  named_only("Pppoe", PacketBuilder{}.eth().pppoe().ipv4().udp(), NIDS_PARSE_PPPOE);
  named_only("PppoeIpv6", PacketBuilder{}.eth().pppoe().ipv6().udp(), NIDS_PARSE_PPPOE);
  return all;
}

// Of the wrapping itself.
inline std::vector<LyingPacket> lying_wrappings() {
  const auto short_of = [](std::uint8_t protocol, std::size_t bytes) {
    return in_ipv4({.protocol = protocol}).payload_bytes(bytes).padded_to(80).bytes();
  };
  const auto short_udp = [](std::uint16_t port, std::size_t bytes) {
    return in_ipv4().udp({.dst_port = port}).payload(std::string(bytes, '\x08')).bytes();
  };
  return {
      {"GreVersion1", in_gre({.more_flags = 1}).ipv4().udp().bytes(), NIDS_PARSE_OK},
      {"GreRouting", in_gre({.more_flags = 0x4000}).ipv4().udp().bytes(), NIDS_PARSE_OK},
      {"GreReservedBit", in_gre({.more_flags = 0x0008}).ipv4().udp().bytes(), NIDS_PARSE_OK},
      {"GreOf3Bytes", short_of(kProtoGre, 3), NIDS_PARSE_BAD_LENGTH},
      {"GreKeyBeyondThePacket",
       in_gre({.protocol = kEtherIpv4, .more_flags = 0x2000}).padded_to(80).bytes(),
       NIDS_PARSE_BAD_LENGTH},
      {"GreSequenceBeyondThePacket",
       in_gre({.key = 1, .protocol = kEtherIpv4, .more_flags = 0x1000}).padded_to(80).bytes(),
       NIDS_PARSE_BAD_LENGTH},
      {"GreWithNothingInside", in_gre({.protocol = kEtherIpv4}).padded_to(80).bytes(),
       NIDS_PARSE_TRUNCATED},
      {"GreSaysIpv6", in_gre({.protocol = kEtherIpv6}).ipv4().udp().payload_bytes(40).bytes(),
       NIDS_PARSE_BAD_HEADER},
      {"GreSaysIpv4", in_gre({.protocol = kEtherIpv4}).ipv6().udp().bytes(), NIDS_PARSE_BAD_HEADER},
      {"GreSaysEthernet", in_gre({.protocol = kEtherBridged}).ipv4().udp().bytes(),
       NIDS_PARSE_NOT_IP},
      {"ProtocolSaysIpv6InIpv4", in_ipv4({.protocol = kProtoIpv6}).ipv4().tcp().bytes(),
       NIDS_PARSE_BAD_HEADER},
      {"ProtocolSaysIpv4InIpv4", in_ipv4({.protocol = kProtoIpv4}).ipv6().tcp().bytes(),
       NIDS_PARSE_BAD_HEADER},
      {"Ipv4InIpv4Of19Bytes", short_of(kProtoIpv4, 19), NIDS_PARSE_TRUNCATED},
      {"Ipv6InIpv4Of39Bytes", short_of(kProtoIpv6, 39), NIDS_PARSE_TRUNCATED},
      {"VxlanWithoutItsFlag", in_vxlan({.flags = 0}).eth().ipv4().udp().bytes(), NIDS_PARSE_OK},
      {"VxlanWithOtherFlags", in_vxlan({.flags = 0xff}).eth().ipv4().udp().bytes(), NIDS_PARSE_OK},
      {"VxlanOf7Bytes", short_udp(kVxlanPort, 7), NIDS_PARSE_OK},
      {"VxlanOf21Bytes", short_udp(kVxlanPort, 21), NIDS_PARSE_TRUNCATED},
      {"VxlanUdpLenInsideTheInnerPacket",
       in_ipv4()
           .udp({.dst_port = kVxlanPort, .len = std::uint16_t{40}})
           .vxlan()
           .eth()
           .ipv4()
           .udp()
           .bytes(),
       NIDS_PARSE_TRUNCATED},
      {"GeneveVersion1", in_geneve({.version = 1}).ipv4().udp().bytes(), NIDS_PARSE_OK},
      {"GeneveOfAnUnknownProtocol",
       in_geneve({.protocol = std::uint16_t{0x1234}}).ipv4().udp().bytes(), NIDS_PARSE_OK},
      {"GeneveOf7Bytes", short_udp(kGenevePort, 7), NIDS_PARSE_OK},
      {"MplsWithoutABottom", PacketBuilder{}.eth().mpls({.is_bottom = false}).ipv4().udp().bytes(),
       NIDS_PARSE_MPLS},
      {"MplsWithNothing", PacketBuilder{}.eth({.ether_type = kEtherMpls}).bytes(), NIDS_PARSE_MPLS},
      {"PppoeLen65535",
       PacketBuilder{}.eth().pppoe({.len = std::uint16_t{65'535}}).ipv4().udp().bytes(),
       NIDS_PARSE_PPPOE},
  };
}

// Of the packet inside: outside all is right.
inline std::vector<LyingPacket> lying_inner_packets() {
  const auto inner4 = [](const Ipv4Fields& fields) {
    return in_gre().ipv4(fields).tcp().payload("x").padded_to(120).bytes();
  };
  const auto inner6 = [](const Ipv6Fields& fields) {
    return in_ipv4().ipv6(fields).tcp().payload("x").padded_to(140).bytes();
  };
  const auto tagged = [](int tags) {
    PacketBuilder builder = in_vxlan().eth();
    for (int i = 0; i < tags; ++i) builder.vlan(static_cast<std::uint16_t>(1 + i));
    return builder.ipv4().udp().bytes();
  };
  return {
      {"InnerVersion5", inner4({.version = 5}), NIDS_PARSE_BAD_HEADER},
      {"InnerIhl4", inner4({.ihl_words = 4}), NIDS_PARSE_BAD_HEADER},
      {"InnerIhlBeyondItsPacket", inner4({.ihl_words = 15, .total_len = 60}), NIDS_PARSE_TRUNCATED},
      {"InnerTotalLen0", inner4({.total_len = 0}), NIDS_PARSE_BAD_LENGTH},
      {"InnerTotalLenOneBeyond", inner4({.total_len = 42}), NIDS_PARSE_BAD_LENGTH},
      {"InnerTotalLenInsideTcp", inner4({.total_len = 39}), NIDS_PARSE_BAD_LENGTH},
      {"InnerTotalLenWithoutPayload", inner4({.total_len = 40}), NIDS_PARSE_OK},
      {"InnerFirstFragment", inner4({.more_fragments = true}), NIDS_PARSE_OK},
      {"InnerLaterFragment", inner4({.fragment_offset_bytes = 8}), NIDS_PARSE_LATER_FRAGMENT},
      {"InnerIpv6Version4", inner6({.version = 4}), NIDS_PARSE_BAD_HEADER},
      {"InnerIpv6PayloadLenOneBeyond", inner6({.payload_len = 22}), NIDS_PARSE_BAD_LENGTH},
      {"InnerIpv6PayloadLen0", inner6({.payload_len = 0}), NIDS_PARSE_BAD_LENGTH},
      {"InnerTcpOffset4", in_gre().ipv4().tcp({.data_offset_words = 4}).bytes(),
       NIDS_PARSE_BAD_HEADER},
      {"InnerTcpOffset15", in_gre().ipv4().tcp({.data_offset_words = 15}).padded_to(200).bytes(),
       NIDS_PARSE_BAD_LENGTH},
      {"InnerUdpLenOneBeyond", in_gre().ipv4().udp({.len = 9}).padded_to(120).bytes(),
       NIDS_PARSE_BAD_LENGTH},
      {"InnerThreeTags", tagged(3), NIDS_PARSE_OK},
      {"InnerFourTags", tagged(4), NIDS_PARSE_TOO_MANY_TAGS},
      {"InnerMpls", in_vxlan().eth().mpls().ipv4().bytes(), NIDS_PARSE_MPLS},
      {"InnerPppoe", in_vxlan().eth().pppoe().ipv4().bytes(), NIDS_PARSE_PPPOE},
      {"InnerArpHardwareLen255", in_vxlan().eth().arp({.hardware_len = 255}).padded_to(700).bytes(),
       NIDS_PARSE_BAD_LENGTH},
  };
}

inline std::vector<LyingPacket> lying_tunnel_packets() {
  std::vector<LyingPacket> all = lying_wrappings();
  const auto more = lying_inner_packets();
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

}  // namespace nids
