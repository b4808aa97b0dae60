// SPDX-License-Identifier: Apache-2.0
// What parse tells of packets in packets: the flow inside, the headers outside, and what only
// records hold of either.
#include <gtest/gtest.h>

#include "decode/packet.hpp"
#include "firstpass/twin.h"
#include "support/sample_tunnels.hpp"

namespace nids {
namespace {

struct Parsed {
  nids_packet packet;
  nids_packet_detail detail;
};

Parsed parse(const PacketBuilder& builder) {
  const Bytes frame = builder.bytes();
  const auto length = static_cast<std::uint32_t>(frame.size());
  const nids_twin_frame facts{.bytes = frame.data(),
                              .captured_len = length,
                              .wire_len = length,
                              .time_ns = 0,
                              .l3_offset = 0,
                              .ether_type = 0,
                              .is_ethernet = 1};
  Parsed parsed;
  nids_twin_parse(&facts, &parsed.packet, &parsed.detail);
  return parsed;
}

TEST(ParseTunnel, ThePacketInsideIsTheFlowAndTheOutermostIsCounted) {
  const auto [packet, detail] = parse(in_gre({.key = 0xdeadbeef})
                                          .ipv6({.src = "2001:db8::7", .dst = "2001:db8::8"})
                                          .tcp({.src_port = 50'000, .dst_port = 22})
                                          .payload("abc"));
  EXPECT_EQ(packet.result, NIDS_PARSE_OK);
  EXPECT_EQ(packet.tunnel, NIDS_TUNNEL_GRE);
  EXPECT_EQ(packet.flags, NIDS_PACKET_IS_FLOW | NIDS_PACKET_HAS_PORTS | NIDS_PACKET_IS_TUNNELLED);
  EXPECT_EQ(packet.ip_version, 6);
  EXPECT_EQ(packet.l4_proto, kProtoTcp);
  EXPECT_EQ(address_text(packet.src, 6), "2001:db8::7");
  EXPECT_EQ(packet.dst_port, 22);
  EXPECT_EQ(packet.l3_offset, 14 + 20 + 8);
  EXPECT_EQ(packet.l4_offset, 14 + 20 + 8 + 40);
  EXPECT_EQ(packet.payload_len, 3u);
  EXPECT_EQ(packet.network, NIDS_NETWORK_IPV4);
  EXPECT_EQ(packet.transport, NIDS_TRANSPORT_OTHER);
  EXPECT_EQ(packet.ether_type, kEtherIpv4);

  EXPECT_EQ(address_text(detail.outer.src, 4), "192.0.2.1");
  EXPECT_EQ(address_text(detail.outer.dst, 4), "192.0.2.2");
  EXPECT_EQ(detail.outer.ip_version, 4);
  EXPECT_EQ(detail.outer.l4_proto, kProtoGre);
  EXPECT_EQ(detail.outer.l3_offset, 14);
  EXPECT_EQ(detail.outer.key, 0xdeadbeef);
  EXPECT_EQ(detail.outer.src_port, 0);
}

TEST(ParseTunnel, VxlanTellsItsIdentifierAndItsPorts) {
  const auto [packet, detail] = parse(in_vxlan({.vni = 0xabcdef}).eth().vlan(9).ipv4().udp());
  EXPECT_EQ(packet.tunnel, NIDS_TUNNEL_VXLAN);
  EXPECT_EQ(packet.transport, NIDS_TRANSPORT_UDP);
  EXPECT_EQ(packet.dst_port, 53);
  EXPECT_EQ(packet.vlan_count, 0) << "the tags inside are the tenant's";
  EXPECT_EQ(detail.outer.key, 0xabcdefu);
  EXPECT_EQ(detail.outer.src_port, 55'555);
  EXPECT_EQ(detail.outer.dst_port, kVxlanPort);
}

TEST(ParseTunnel, IpInIpHasNoKey) {
  for (const auto& builder : {in_ipv4().ipv4().udp(), in_ipv4().ipv6().udp(),
                              PacketBuilder{}.eth().ipv6().ipv4().udp()}) {
    const auto [packet, detail] = parse(builder);
    EXPECT_EQ(packet.tunnel, NIDS_TUNNEL_IP);
    EXPECT_EQ(packet.l4_proto, kProtoUdp);
    EXPECT_EQ(detail.outer.key, 0u);
  }
}

TEST(ParseTunnel, GreKeyStandsBehindTheChecksumAndBeforeTheSequence) {
  EXPECT_EQ(
      parse(in_gre({.has_checksum = true, .key = 7, .sequence = 9}).ipv4().udp()).detail.outer.key,
      7u);
  EXPECT_EQ(parse(in_gre({.sequence = 9}).ipv4().udp()).detail.outer.key, 0u);
  EXPECT_EQ(parse(in_gre({.has_checksum = true}).ipv4().udp()).packet.dst_port, 53);
}

TEST(ParseTunnel, OnlyOneLevelIsLookedInto) {
  const auto [packet, detail] =
      parse(in_gre().ipv4({.src = "172.16.0.1", .dst = "172.16.0.2"}).ipv4().udp());
  EXPECT_EQ(packet.tunnel, NIDS_TUNNEL_GRE);
  EXPECT_EQ(packet.l4_proto, kProtoIpv4);
  EXPECT_EQ(address_text(packet.src, 4), "172.16.0.1");
  EXPECT_EQ(packet.dst_port, 0);
  EXPECT_EQ(address_text(detail.outer.src, 4), "192.0.2.1");
}

TEST(ParseTunnel, WhatCanNotBeReadInsideBelongsToTheFlowOutside) {
  const auto [lying, detail] = parse(in_vxlan().eth().ipv4({.total_len = 9000}).tcp());
  EXPECT_EQ(lying.result, NIDS_PARSE_BAD_LENGTH);
  EXPECT_EQ(lying.tunnel, NIDS_TUNNEL_VXLAN);
  EXPECT_EQ(lying.flags, NIDS_PACKET_IS_FLOW | NIDS_PACKET_HAS_PORTS);
  EXPECT_EQ(lying.dst_port, kVxlanPort);
  EXPECT_EQ(address_text(lying.src, 4), "192.0.2.1");
  EXPECT_EQ(address_text(detail.outer.src, 4), "192.0.2.1");
  EXPECT_EQ(lying.l3_offset, 14);
  EXPECT_EQ(lying.tcp_flags, 0);

  const nids_packet arp = parse(in_vxlan().eth({.dst = "ff:ff:ff:ff:ff:ff"}).arp()).packet;
  EXPECT_EQ(arp.result, NIDS_PARSE_OK);
  EXPECT_EQ(arp.network, NIDS_NETWORK_IPV4);
  EXPECT_EQ(arp.flags, NIDS_PACKET_IS_FLOW | NIDS_PACKET_HAS_PORTS);
}

TEST(ParseTunnel, QuirksOfBothAreTold) {
  EXPECT_EQ(parse(in_ipv4({.options = {131, 3, 4, 0}}).ipv4({.options = {7, 0, 0, 0}}).udp())
                .packet.quirks,
            NIDS_QUIRK_SOURCE_ROUTE | NIDS_QUIRK_BAD_OPTIONS);
}

TEST(ParseTunnel, PaddingBehindTheTunnelIsNotInside) {
  const auto [packet, detail] = parse(in_gre().ipv4().udp().payload("x").padded_to(200));
  EXPECT_EQ(packet.payload_len, 1u);
}

TEST(ParseTunnel, FirstFragmentOfATunnelIsNotEntered) {
  const auto [packet, detail] =
      parse(in_ipv4({.more_fragments = true}).ipv4({.src = "172.16.0.1"}).udp());
  EXPECT_EQ(packet.tunnel, NIDS_TUNNEL_NONE);
  EXPECT_EQ(packet.l4_proto, kProtoIpv4);
  EXPECT_NE(packet.flags & NIDS_PACKET_FIRST_FRAGMENT, 0);
  EXPECT_EQ(detail.outer.ip_version, 0);
}

TEST(ParseTunnel, GeneveIsNamedAndItsDatagramIsTheFlow) {
  const auto [packet, detail] = parse(in_geneve().eth().ipv4().tcp());
  EXPECT_EQ(packet.result, NIDS_PARSE_GENEVE);
  EXPECT_EQ(packet.tunnel, NIDS_TUNNEL_NONE);
  EXPECT_EQ(packet.dst_port, kGenevePort);
  EXPECT_NE(packet.flags & NIDS_PACKET_IS_FLOW, 0);
}

TEST(ParseTunnel, MplsAndPppoeAreNoFlow) {
  for (const auto& builder :
       {PacketBuilder{}.eth().mpls().ipv4().udp(), PacketBuilder{}.eth().pppoe().ipv4().udp()}) {
    const nids_packet packet = parse(builder).packet;
    EXPECT_EQ(packet.flags, 0);
    EXPECT_EQ(packet.network, NIDS_NETWORK_OTHER);
    EXPECT_EQ(packet.transport, NIDS_TRANSPORT_COUNT);
    EXPECT_EQ(packet.l3_offset, 14);
  }
}

TEST(ParseTunnel, AhBehindIpv4IsWalkedOver) {
  const nids_packet packet = parse(PacketBuilder{}.eth().ipv4().ah().tcp({.dst_port = 22})).packet;
  EXPECT_EQ(packet.l4_proto, kProtoTcp);
  EXPECT_EQ(packet.transport, NIDS_TRANSPORT_TCP);
  EXPECT_EQ(packet.dst_port, 22);
  EXPECT_EQ(packet.l4_offset, 34 + 24);
}

class TcpOptions : public testing::Test {
 protected:
  static nids_tcp_options of(std::vector<std::uint8_t> bytes, std::uint8_t flags = kTcpSyn) {
    return parse(PacketBuilder{}.eth().ipv4().tcp({.flags = flags, .options = std::move(bytes)}))
        .detail.tcp_options;
  }
};

TEST_F(TcpOptions, OfASynAreTold) {
  const nids_tcp_options all = of({2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7});
  EXPECT_EQ(all.mss, 1460);
  EXPECT_EQ(all.window_scale, 7);
  EXPECT_EQ(all.flags, NIDS_TCP_HAS_MSS | NIDS_TCP_HAS_WINDOW_SCALE | NIDS_TCP_HAS_SACK |
                           NIDS_TCP_HAS_TIMESTAMPS);
  EXPECT_EQ(of({2, 4, 0xff, 0xff}, kTcpSyn | kTcpAck).mss, 0xffff);
  EXPECT_EQ(of({}).flags, 0);
  EXPECT_EQ(of({2, 4, 5, 180}, kTcpAck).flags, 0) << "only a SYN's are looked at";
}

TEST_F(TcpOptions, ThatLieAreNamedAndWhatCameBeforeIsTold) {
  EXPECT_EQ(of({2, 4, 5, 180, 3, 0, 0, 0}).flags, NIDS_TCP_HAS_MSS | NIDS_TCP_BAD_OPTIONS);
  EXPECT_EQ(of({2, 1, 0, 0}).flags, NIDS_TCP_BAD_OPTIONS);
  EXPECT_EQ(of({1, 1, 1, 2}).flags, NIDS_TCP_BAD_OPTIONS);
  EXPECT_EQ(of({2, 5, 5, 180}).flags, NIDS_TCP_BAD_OPTIONS);
  EXPECT_EQ(of({2, 3, 5, 0}).flags, 0) << "an MSS of another length is no MSS";
  EXPECT_EQ(of({0, 2, 4, 5}).flags, 0) << "behind the end there is nothing";
  EXPECT_EQ(of(std::vector<std::uint8_t>(40, 1)).flags, 0);
}

class IcmpError : public testing::Test {
 protected:
  static PacketBuilder about(std::uint8_t type = kIcmpUnreachable) {
    return PacketBuilder{}.eth().ipv4().icmp({.type = type, .code = 3});
  }
  static nids_embedded embedded(const PacketBuilder& builder) {
    return parse(builder).detail.embedded;
  }
};

TEST_F(IcmpError, TellsThePacketThatItIsAbout) {
  for (const std::uint8_t type :
       {kIcmpUnreachable, kIcmpSourceQuench, kIcmpRedirect, kIcmpTimeExceeded, kIcmpParameter}) {
    const auto [packet, detail] =
        parse(about(type)
                  .ipv4({.src = "10.0.0.2", .dst = "198.51.100.9", .total_len = 1500})
                  .udp({.src_port = 33'434, .dst_port = 53, .len = 1480}));
    EXPECT_NE(packet.flags & NIDS_PACKET_IS_ICMP_ERROR, 0);
    EXPECT_EQ(packet.src_port, type << 8 | 3);
    EXPECT_EQ(detail.embedded.ip_version, 4);
    EXPECT_EQ(address_text(detail.embedded.src, 4), "10.0.0.2");
    EXPECT_EQ(address_text(detail.embedded.dst, 4), "198.51.100.9");
    EXPECT_EQ(detail.embedded.src_port, 33'434);
    EXPECT_EQ(detail.embedded.dst_port, 53);
    EXPECT_EQ(detail.embedded.l4_proto, kProtoUdp);
    EXPECT_EQ(detail.embedded.has_ports, 1);
  }
}

TEST_F(IcmpError, OfIpv6TellsItToo) {
  const nids_embedded found = embedded(PacketBuilder{}
                                           .eth()
                                           .ipv6()
                                           .icmpv6({.type = kIcmpv6PacketTooBig})
                                           .ipv6({.src = "2001:db8::9", .dst = "2001:db8::10"})
                                           .tcp({.src_port = 443, .dst_port = 50'000}));
  EXPECT_EQ(found.ip_version, 6);
  EXPECT_EQ(address_text(found.src, 6), "2001:db8::9");
  EXPECT_EQ(found.dst_port, 50'000);
}

TEST_F(IcmpError, LooksBehindTheExtensionsOfThePacketThatItIsAbout) {
  const auto quoted = [] {
    return PacketBuilder{}.eth().ipv6().icmpv6({.type = kIcmpv6PacketTooBig}).ipv6();
  };
  const UdpFields ports{.src_port = 5000, .dst_port = 53};
  const nids_embedded found =
      embedded(quoted().extension(kProtoHopByHop).extension(kProtoDestination).udp(ports));
  EXPECT_EQ(found.l4_proto, kProtoUdp);
  EXPECT_EQ(found.src_port, 5000);
  EXPECT_EQ(found.dst_port, 53);
  EXPECT_EQ(found.has_ports, 1);

  // The limit is that of a packet that is not quoted.
  PacketBuilder most = quoted(), too_many = quoted().extension(kProtoDestination);
  for (int i = 0; i < 192; ++i) {
    most.extension(kProtoDestination);
    too_many.extension(kProtoDestination);
  }
  EXPECT_EQ(embedded(most.udp(ports)).has_ports, 1);
  EXPECT_EQ(embedded(too_many.udp(ports)).has_ports, 0);
  EXPECT_EQ(embedded(quoted().fragment({.offset_bytes = 8}).udp(ports)).has_ports, 0);
  EXPECT_EQ(embedded(quoted().fragment({.more_fragments = true}).udp(ports)).has_ports, 1);
  // Where the quotation ends within them, there are no ports.
  EXPECT_EQ(embedded(quoted().extension(kProtoHopByHop, {.len = 200}).udp(ports)).has_ports, 0);
}

TEST_F(IcmpError, AboutAnEchoTellsItsIdentifierTwice) {
  const nids_embedded found = embedded(about().ipv4().icmp({.id = 77}));
  EXPECT_EQ(found.src_port, 77);
  EXPECT_EQ(found.dst_port, 77);
  EXPECT_EQ(found.has_ports, 0);
}

TEST_F(IcmpError, TellsNoMoreThanItHolds) {
  EXPECT_EQ(embedded(about()).ip_version, 0);
  EXPECT_EQ(embedded(about().payload_bytes(19)).ip_version, 0);
  EXPECT_EQ(embedded(about().ipv4({.version = 5}).udp()).ip_version, 0);
  EXPECT_EQ(embedded(about().ipv4({.ihl_words = 4}).udp()).ip_version, 0);
  const nids_embedded without_ports =
      embedded(about().ipv4({.protocol = kProtoTcp}).payload_bytes(7));
  EXPECT_EQ(without_ports.ip_version, 4);
  EXPECT_EQ(without_ports.has_ports, 0);
  EXPECT_EQ(embedded(about().ipv4({.fragment_offset_bytes = 8}).udp()).has_ports, 0);
}

TEST_F(IcmpError, WhatPadsTheFrameIsNotThePacketThatItIsAbout) {
  const auto padded = [](std::uint16_t total_len) {
    return embedded(PacketBuilder{}
                        .eth()
                        .ipv4({.total_len = total_len})
                        .icmp({.type = kIcmpUnreachable})
                        .ipv4()
                        .udp());
  };
  EXPECT_EQ(padded(28).ip_version, 0);
  EXPECT_EQ(padded(47).ip_version, 0);
  EXPECT_EQ(padded(48).ip_version, 4);
  EXPECT_EQ(padded(55).has_ports, 0);
  EXPECT_EQ(padded(56).has_ports, 1);
}

TEST_F(IcmpError, AnotherMessageIsAboutNoPacket) {
  for (const std::uint8_t type : {kIcmpEcho, kIcmpTimestamp}) {
    const auto [packet, detail] = parse(about(type).ipv4().udp());
    EXPECT_EQ(packet.flags & NIDS_PACKET_IS_ICMP_ERROR, 0);
    EXPECT_EQ(detail.embedded.ip_version, 0);
  }
}

}  // namespace
}  // namespace nids
