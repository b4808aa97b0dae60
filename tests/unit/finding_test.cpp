// SPDX-License-Identifier: Apache-2.0
// What one packet alone is guilty of: each finding by a packet that is right in all else, and what
// comes near it and is innocent.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "firstpass/twin.h"
#include "support/sample_packets.hpp"

namespace nids {
namespace {

// The keys of all findings, in their order: "xmas bad_length".
std::string found(const Bytes& frame, std::size_t captured) {
  const Bytes readable(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(captured));
  const nids_twin_frame facts{.bytes = readable.data(),
                              .captured_len = static_cast<std::uint32_t>(readable.size()),
                              .wire_len = static_cast<std::uint32_t>(frame.size()),
                              .time_ns = 0,
                              .l3_offset = 0,
                              .ether_type = 0,
                              .is_ethernet = 1};
  nids_packet packet;
  nids_twin_parse(&facts, &packet, nullptr);
  const std::uint32_t findings = nids_twin_findings(&packet);
  static constexpr const char* kKeys[] = {
#define NIDS_TEST_KEY(name, key, meaning) key,
      NIDS_FINDINGS(NIDS_TEST_KEY)
#undef NIDS_TEST_KEY
  };
  std::string text;
  for (std::uint32_t i = 0; i < NIDS_FINDING_COUNT; ++i)
    if ((findings >> i & 1) != 0) text += (text.empty() ? "" : " ") + std::string(kKeys[i]);
  return text;
}

std::string found(const PacketBuilder& builder) {
  const Bytes frame = builder.bytes();
  return found(frame, frame.size());
}

std::string tcp(std::uint8_t flags) {
  return found(PacketBuilder{}.eth().ipv4().tcp({.flags = flags}));
}

std::string ended_at(std::uint32_t offset, std::size_t payload) {
  return found(PacketBuilder{}
                   .eth()
                   .ipv4({.protocol = kProtoIcmp, .fragment_offset_bytes = offset})
                   .payload_bytes(payload));
}

std::string options(std::vector<std::uint8_t> bytes) {
  return found(PacketBuilder{}.eth().ipv4({.options = std::move(bytes)}).udp());
}

TEST(Finding, LandIsFromItsOwnDestinationAndPortButOverLoopback) {
  const auto tcp = [](const char* src, const char* dst, std::uint16_t port) {
    return found(PacketBuilder{}
                     .eth()
                     .ipv4({.src = src, .dst = dst})
                     .tcp({.src_port = 139, .dst_port = port, .flags = kTcpSyn}));
  };
  const auto udp6 = [](const char* src, const char* dst) {
    return found(
        PacketBuilder{}.eth().ipv6({.src = src, .dst = dst}).udp({.src_port = 7, .dst_port = 7}));
  };
  EXPECT_EQ(tcp("10.0.0.1", "10.0.0.1", 139), "land");
  EXPECT_EQ(udp6("2001:db8::1", "2001:db8::1"), "land");
  EXPECT_EQ(found(PacketBuilder{}
                      .eth()
                      .ipv4({.src = "10.0.0.1", .dst = "10.0.0.1"})
                      .sctp({.src_port = 5, .dst_port = 5})),
            "land");

  EXPECT_EQ(tcp("10.0.0.1", "10.0.0.1", 140), "");
  EXPECT_EQ(tcp("10.0.0.1", "10.0.0.2", 139), "");
  EXPECT_EQ(tcp("127.0.0.1", "127.0.0.1", 139), "");
  EXPECT_EQ(tcp("127.1.2.3", "127.1.2.3", 139), "");
  EXPECT_EQ(udp6("::1", "::1"), "");
  EXPECT_EQ(udp6("::2", "::2"), "land");
  EXPECT_EQ(udp6("2001:db8::1", "2001:db8::1:0:0:1"), "");
  // An echo has an identifier, and no ports.
  EXPECT_EQ(found(PacketBuilder{}.eth().ipv4({.src = "10.0.0.1", .dst = "10.0.0.1"}).icmp()), "");
}

TEST(Finding, TcpFlagsOfNoConnectionAreNamed) {
  EXPECT_EQ(tcp(kTcpFin | kTcpPsh | kTcpUrg), "xmas");
  EXPECT_EQ(tcp(kTcpFin | kTcpPsh | kTcpUrg | kTcpEce | kTcpCwr), "xmas");
  EXPECT_EQ(tcp(0), "null");
  EXPECT_EQ(tcp(kTcpEce), "null");
  EXPECT_EQ(tcp(kTcpSyn | kTcpFin), "syn_fin");
  EXPECT_EQ(tcp(kTcpSyn | kTcpFin | kTcpAck), "syn_fin");
  EXPECT_EQ(tcp(kTcpSyn | kTcpRst), "syn_rst");
  EXPECT_EQ(tcp(kTcpSyn | kTcpRst | kTcpAck), "syn_rst");
  EXPECT_EQ(tcp(0xff), "syn_fin syn_rst");
}

TEST(Finding, TcpFlagsOfAConnectionAreNot) {
  for (const int flags : {int{kTcpSyn}, kTcpSyn | kTcpAck, kTcpSyn | kTcpEce | kTcpCwr,
                          int{kTcpAck}, kTcpAck | kTcpPsh, kTcpAck | kTcpFin, kTcpAck | kTcpRst,
                          int{kTcpRst}, int{kTcpFin}, kTcpAck | kTcpUrg, kTcpFin | kTcpPsh,
                          kTcpFin | kTcpUrg, kTcpFin | kTcpPsh | kTcpUrg | kTcpAck})
    EXPECT_EQ(tcp(static_cast<std::uint8_t>(flags)), "") << flags;
}

TEST(Finding, PortZeroIsOfTcpAndUdpAndOfEitherEnd) {
  EXPECT_EQ(found(PacketBuilder{}.eth().ipv4().tcp({.src_port = 0})), "port_zero");
  EXPECT_EQ(found(PacketBuilder{}.eth().ipv4().tcp({.dst_port = 0})), "port_zero");
  EXPECT_EQ(found(PacketBuilder{}.eth().ipv6().udp({.src_port = 0})), "port_zero");
  EXPECT_EQ(found(PacketBuilder{}.eth().ipv6().udp({.dst_port = 0})), "port_zero");

  EXPECT_EQ(found(PacketBuilder{}.eth().ipv4().udp({.src_port = 1, .dst_port = 65'535})), "");
  EXPECT_EQ(found(PacketBuilder{}.eth().ipv4().sctp({.dst_port = 0})), "");
  EXPECT_EQ(found(PacketBuilder{}.eth().ipv4().icmp({.id = 0})), "");
}

TEST(Finding, SmurfIsAnEchoRequestToMany) {
  const auto echo = [](const char* dst, std::uint8_t type, const char* mac) {
    return found(PacketBuilder{}.eth({.dst = mac}).ipv4({.dst = dst}).icmp({.type = type}));
  };
  const char* const kOne = "02:00:00:00:00:02";
  EXPECT_EQ(echo("255.255.255.255", kIcmpEcho, kOne), "smurf");
  EXPECT_EQ(echo("224.0.0.1", kIcmpEcho, kOne), "smurf");
  EXPECT_EQ(echo("239.255.255.255", kIcmpEcho, kOne), "smurf");
  EXPECT_EQ(echo("10.0.0.255", kIcmpEcho, "ff:ff:ff:ff:ff:ff"), "smurf");
  EXPECT_EQ(found(PacketBuilder{}.eth().ipv6({.dst = "ff02::1"}).icmpv6()), "smurf");

  EXPECT_EQ(echo("10.0.0.255", kIcmpEcho, kOne), "") << "whose net is not known";
  EXPECT_EQ(echo("223.255.255.255", kIcmpEcho, kOne), "");
  EXPECT_EQ(echo("240.0.0.1", kIcmpEcho, kOne), "");
  EXPECT_EQ(echo("224.0.0.1", kIcmpEchoReply, kOne), "");
  EXPECT_EQ(echo("255.255.255.255", kIcmpTimestamp, kOne), "");
  EXPECT_EQ(found(PacketBuilder{}.eth().ipv6({.dst = "fe80::1"}).icmpv6()), "");
  EXPECT_EQ(found(PacketBuilder{}.eth().ipv6({.dst = "ff02::1"}).icmpv6({.type = kIcmpEcho})), "");
  EXPECT_EQ(found(PacketBuilder{}.eth().ipv4({.dst = "224.0.0.251"}).udp()), "");
}

TEST(Finding, SynToManyIsNamedAndOtherPacketsToManyAreNot) {
  const auto syn_to = [](const char* dst, std::uint8_t flags) {
    return found(PacketBuilder{}.eth().ipv4({.dst = dst}).tcp({.flags = flags}));
  };
  EXPECT_EQ(syn_to("224.0.0.5", kTcpSyn), "syn_multicast");
  EXPECT_EQ(syn_to("255.255.255.255", kTcpSyn), "syn_multicast");
  EXPECT_EQ(found(PacketBuilder{}.eth().ipv6({.dst = "ff0e::1"}).tcp({.flags = kTcpSyn})),
            "syn_multicast");
  const auto syn_by_mac = [](const char* mac) {
    return found(PacketBuilder{}.eth({.dst = mac}).ipv4().tcp({.flags = kTcpSyn}));
  };
  EXPECT_EQ(syn_by_mac("ff:ff:ff:ff:ff:ff"), "syn_multicast");
  EXPECT_EQ(syn_by_mac("01:00:5e:00:00:05"), "") << "clusters use these for one address";
  EXPECT_EQ(syn_by_mac("ff:ff:ff:ff:ff:fe"), "");
  EXPECT_EQ(syn_to("10.0.0.5", kTcpSyn), "");
  EXPECT_EQ(syn_to("224.0.0.5", kTcpRst), "");
}

TEST(Finding, PingOfDeathEndsBeyondTheLongestDatagram) {
  EXPECT_EQ(ended_at(65'488, 28), "ping_of_death");  // 65,488 + 20 + 28 = 65,536
  EXPECT_EQ(ended_at(65'488, 27), "");
  EXPECT_EQ(ended_at(65'528, 100), "ping_of_death");
  EXPECT_EQ(ended_at(65'000, 400), "");

  const auto ended_at6 = [](PacketBuilder builder, std::uint32_t offset, std::size_t payload) {
    return found(builder.fragment({.offset_bytes = offset, .next_header = kProtoUdp})
                     .payload_bytes(payload));
  };
  const PacketBuilder plain = PacketBuilder{}.eth().ipv6();
  EXPECT_EQ(ended_at6(plain, 65'528, 8), "ping_of_death");
  EXPECT_EQ(ended_at6(plain, 65'528, 7), "");
  const PacketBuilder longer = PacketBuilder{}.eth().ipv6().extension(kProtoDestination);
  EXPECT_EQ(ended_at6(longer, 65'520, 8), "ping_of_death") << "what stands before it counts too";
  EXPECT_EQ(ended_at6(longer, 65'520, 7), "");
}

TEST(Finding, SourceRouteIsAnOptionAndNotItsDataNorWhatStandsBehindTheEnd) {
  EXPECT_EQ(options({131, 7, 4, 10, 0, 0, 9}), "source_route");
  EXPECT_EQ(options({1, 1, 137, 3, 4}), "source_route");
  EXPECT_EQ(options({148, 4, 0, 0, 131, 3, 4}), "source_route");

  EXPECT_EQ(options({7, 7, 4, 131, 3, 4, 137}), "");
  EXPECT_EQ(options({0, 131, 3, 4}), "");
  EXPECT_EQ(options({68, 4, 5, 0}), "");
  EXPECT_EQ(options(std::vector<std::uint8_t>(40, 1)), "");
}

TEST(Finding, OptionsThatLieAreNamed) {
  EXPECT_EQ(options({7, 0, 0, 0}), "bad_options");
  EXPECT_EQ(options({7, 1, 0, 0}), "bad_options");
  EXPECT_EQ(options({7, 5, 4, 0}), "bad_options");
  EXPECT_EQ(options({1, 1, 1, 7}), "bad_options");
  EXPECT_EQ(options({131, 255, 4, 0}), "source_route bad_options");
  EXPECT_EQ(options({7, 4, 4, 0}), "");
  EXPECT_EQ(options({7, 3, 4, 0}), "");
}

TEST(Finding, RoutingHeaderOfType0IsNamedAndOthersAreNot) {
  const auto with = [](std::uint8_t protocol, std::uint8_t type) {
    return found(PacketBuilder{}
                     .eth()
                     .ipv6()
                     .extension(protocol, {.body_bytes = 22, .routing_type = type})
                     .udp());
  };
  EXPECT_EQ(with(kProtoRouting, 0), "rh0");
  EXPECT_EQ(with(kProtoRouting, 2), "");
  EXPECT_EQ(with(kProtoRouting, 4), "");
  EXPECT_EQ(with(kProtoDestination, 0), "");
}

TEST(Finding, FragmentsThatHideATcpHeaderAreNamed) {
  const auto first = [](std::uint8_t protocol, std::size_t bytes) {
    return found(PacketBuilder{}
                     .eth()
                     .ipv4({.protocol = protocol, .more_fragments = true})
                     .payload(std::string(bytes, '\x50')));
  };
  // It does not hold its flags, so it is no NULL scan.
  EXPECT_EQ(first(kProtoTcp, 8), "tiny_fragment");
  EXPECT_EQ(first(kProtoTcp, 16), "tiny_fragment");
  EXPECT_EQ(first(kProtoTcp, 4), "tiny_fragment");
  EXPECT_EQ(first(kProtoTcp, 3), "tiny_fragment bad_length");
  EXPECT_EQ(first(kProtoTcp, 24).find("tiny"), std::string::npos);
  EXPECT_EQ(first(kProtoUdp, 8).find("tiny"), std::string::npos);
  EXPECT_EQ(found(PacketBuilder{}
                      .eth()
                      .ipv6()
                      .fragment({.more_fragments = true, .next_header = kProtoTcp})
                      .payload_bytes(16)),
            "tiny_fragment");
  EXPECT_EQ(found(in_gre()
                      .ipv4({.protocol = kProtoTcp, .more_fragments = true})
                      .payload(std::string(8, '\x50'))),
            "tiny_fragment");

  const auto later = [](std::uint8_t protocol, std::uint32_t offset) {
    return found(PacketBuilder{}
                     .eth()
                     .ipv4({.protocol = protocol, .fragment_offset_bytes = offset})
                     .payload_bytes(40));
  };
  EXPECT_EQ(later(kProtoTcp, 8), "overlapping_fragment");
  EXPECT_EQ(later(kProtoTcp, 16), "overlapping_fragment");
  EXPECT_EQ(later(kProtoTcp, 24), "");
  EXPECT_EQ(later(kProtoUdp, 8), "");
}

TEST(Finding, WhatParseRefusesForALieIsNamed) {
  EXPECT_EQ(found(PacketBuilder{}.eth().ipv4({.total_len = 9000}).udp()), "bad_length");
  EXPECT_EQ(found(PacketBuilder{}.eth().ipv4({.version = 5}).udp()), "bad_header");
  EXPECT_EQ(found(PacketBuilder{}.eth().ipv4().truncated_to(20)), "truncated");
  EXPECT_EQ(found(PacketBuilder{}.eth().vlan(1).vlan(2).vlan(3).vlan(4).ipv4()),
            "too_many_headers");
  EXPECT_EQ(found(with_priority_tags(65).ipv4().udp()), "too_many_headers");
  EXPECT_EQ(found(with_priority_tags(64).ipv4().udp()), "");
  const PacketBuilder ipv6 = PacketBuilder{}.eth().ipv6();
  EXPECT_EQ(found(with_extensions(193, ipv6).udp()), "too_many_headers");
  EXPECT_EQ(found(with_extensions(192, ipv6).udp()), "");
}

TEST(Finding, WhatTheCaptureLacksIsNoGuilt) {
  const Bytes frame = PacketBuilder{}.eth().ipv4().tcp({.flags = 0}).bytes();
  EXPECT_EQ(found(frame, frame.size()), "null");
  EXPECT_EQ(found(frame, 40), "");
  EXPECT_EQ(found(frame, 5), "");
}

TEST(Finding, InATunnelThePacketInsideIsJudged) {
  EXPECT_EQ(found(in_gre().ipv4().tcp({.flags = 0})), "null");
  EXPECT_EQ(found(in_vxlan().eth().ipv4({.options = {131, 3, 4, 0}}).udp()), "source_route");
  EXPECT_EQ(found(in_vxlan().eth({.dst = "ff:ff:ff:ff:ff:ff"}).ipv4().icmp()), "smurf");
  EXPECT_EQ(found(in_ipv4().ipv4({.total_len = 9000}).udp()), "bad_length");
  EXPECT_EQ(found(in_ipv4({.options = {137, 3, 4, 0}}).ipv4().tcp({.flags = 0})),
            "null source_route");
}

TEST(Finding, OfTheHonestSamplesOnlyThoseAreFoundThatAreHonestlyOdd) {
  const std::map<std::string, std::string> odd{
      {"Ipv4LooseSourceRoute", "source_route"},
      {"Ipv6LaterFragment", "overlapping_fragment"},
      {"FourVlans", "too_many_headers"},
  };
  for (const HonestPacket& packet : honest_packets()) {
    const auto expected = odd.find(packet.name);
    EXPECT_EQ(found(packet.frame, packet.frame.size()),
              expected == odd.end() ? "" : expected->second)
        << packet.name;
  }
}

}  // namespace
}  // namespace nids
