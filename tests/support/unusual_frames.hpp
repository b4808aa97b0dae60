// SPDX-License-Identifier: Apache-2.0
// Frames that the plain reading leaves to the whole one: tunnels, ICMP errors, options, fragments,
// and one for each finding. Seeds of the mutations; owns no expectation.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "support/packet_builder.hpp"

namespace nids {

inline std::string raw(std::initializer_list<unsigned> bytes) {
  std::string text;
  for (const unsigned byte : bytes) text += static_cast<char>(byte);
  return text;
}
inline std::string raw(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline std::string raw16(unsigned value) { return raw({value >> 8, value & 0xff}); }

struct InnerPacket {
  std::string bytes;  // from the IP header on
  std::uint16_t ether_type;
};

inline std::vector<InnerPacket> inner_packets() {
  const std::vector<std::uint8_t> syn_options{2, 4, 5, 180, 4, 2, 8, 10, 0, 0,
                                              0, 1, 0, 0,   0, 0, 1, 3,  3, 7};
  const Ipv4Fields v4{.src = "172.16.0.1", .dst = "172.16.0.2"};
  std::vector<InnerPacket> all;
  const auto ipv4 = [&](const PacketBuilder& builder) {
    all.push_back({raw(builder.bytes()), kEtherIpv4});
  };
  const auto ipv6 = [&](const PacketBuilder& builder) {
    all.push_back({raw(builder.bytes()), kEtherIpv6});
  };
  ipv4(PacketBuilder{}.ipv4(v4).tcp({.dst_port = 22, .flags = kTcpSyn, .options = syn_options}));
  ipv4(PacketBuilder{}.ipv4(v4).tcp({.dst_port = 22}).payload("inside"));
  ipv4(PacketBuilder{}.ipv4(v4).udp().payload("question"));
  ipv4(PacketBuilder{}.ipv4(v4).icmp().payload("ping"));
  ipv4(PacketBuilder{}.ipv4(v4).sctp().payload("chunk"));
  ipv4(PacketBuilder{}.ipv4({.more_fragments = true}).udp({.len = 4000}).payload_bytes(64));
  ipv4(PacketBuilder{}.ipv4({.fragment_offset_bytes = 8}).udp());
  ipv4(PacketBuilder{}.ipv4({.options = {131, 7, 4, 1, 2, 3, 4, 0}}).tcp());
  ipv4(PacketBuilder{}.ipv4(v4).ipv4().tcp());
  ipv6(PacketBuilder{}.ipv6().tcp({.flags = kTcpSyn, .options = syn_options}));
  ipv6(PacketBuilder{}.ipv6().udp().payload("question"));
  ipv6(PacketBuilder{}.ipv6().extension(kProtoHopByHop).icmpv6().payload("ping"));
  return all;
}

inline std::string gre_header(unsigned flags, std::uint16_t protocol) {
  std::string header = raw16(flags) + raw16(protocol);
  for (const unsigned optional : {0x8000u, 0x2000u, 0x1000u})
    if ((flags & optional) != 0) header += raw({0, 0, 1, optional >> 12});
  return header;
}

inline std::vector<Bytes> tunnel_frames() {
  constexpr std::uint16_t kBridged = 0x6558;
  const std::string vxlan = raw({8, 0, 0, 0, 0, 1, 2, 0});
  const std::string no_vni = raw({0, 0, 0, 0, 0, 1, 2, 0});
  const std::string eth = raw(PacketBuilder{}.eth().bytes()).substr(0, 12);
  std::vector<Bytes> all;
  for (const InnerPacket& inner : inner_packets()) {
    const auto type = inner.ether_type;
    const std::uint8_t protocol = type == kEtherIpv4 ? kProtoIpv4 : kProtoIpv6;
    const std::string bridged = eth + raw16(type) + inner.bytes;
    const std::string tagged = eth + raw16(kEtherVlan) + raw16(9) + raw16(type) + inner.bytes;
    const auto frame = [&](const PacketBuilder& builder) { all.push_back(builder.bytes()); };

    frame(PacketBuilder{}.eth().ipv4({.protocol = protocol}).payload(inner.bytes));
    frame(PacketBuilder{}.eth().ipv6({.next_header = protocol}).payload(inner.bytes));
    for (const unsigned flags : {0u, 0x8000u, 0x2000u, 0x1000u, 0xb000u, 0x4000u, 0x0001u})
      frame(PacketBuilder{}
                .eth()
                .ipv4({.protocol = kProtoGre})
                .payload(gre_header(flags, type) + inner.bytes));
    frame(PacketBuilder{}
              .eth()
              .ipv6({.next_header = kProtoGre})
              .payload(gre_header(0x2000, kBridged) + tagged));
    for (const std::string& header : {vxlan, no_vni})
      frame(PacketBuilder{}.eth().ipv4().udp({.dst_port = 4789}).payload(header + bridged));
    frame(PacketBuilder{}.eth().vlan(7).ipv6().udp({.dst_port = 4789}).payload(vxlan + tagged));
    frame(PacketBuilder{}
              .eth()
              .ipv4()
              .udp({.dst_port = 6081})
              .payload(raw({0, 0, 0x65, 0x58, 0, 1, 2, 0}) + bridged));
    frame(PacketBuilder{}.eth({.ether_type = 0x8847}).payload(raw({0, 1, 1, 64}) + inner.bytes));
    frame(PacketBuilder{}
              .eth({.ether_type = 0x8864})
              .payload(raw({0x11, 0, 0, 1, 0, 42, 0, 0x21}) + inner.bytes));
  }
  return all;
}

inline std::vector<Bytes> icmp_error_frames() {
  std::vector<Bytes> all;
  for (const InnerPacket& inner : inner_packets()) {
    for (const std::uint8_t type : {3, 4, 5, 11, 12})
      all.push_back(PacketBuilder{}.eth().ipv4().icmp({.type = type}).payload(inner.bytes).bytes());
    for (const std::uint8_t type : {1, 2, 3, 4})
      all.push_back(
          PacketBuilder{}.eth().ipv6().icmpv6({.type = type}).payload(inner.bytes).bytes());
    // RFC 792: the header and 8 bytes are enough.
    all.push_back(PacketBuilder{}
                      .eth()
                      .ipv4()
                      .icmp({.type = kIcmpUnreachable})
                      .payload(inner.bytes.substr(0, 28))
                      .bytes());
  }
  return all;
}

inline std::vector<Bytes> finding_frames() {
  std::vector<Bytes> all;
  const auto tcp = [&](std::uint8_t flags, const Ipv4Fields& ip = {}) {
    all.push_back(PacketBuilder{}.eth().ipv4(ip).tcp({.flags = flags}).bytes());
  };
  const auto frame = [&](const PacketBuilder& builder) { all.push_back(builder.bytes()); };
  for (const std::uint8_t flags : {0x29, 0x00, 0x03, 0x06, 0x07, 0x3f, 0xc2}) tcp(flags);
  tcp(kTcpSyn, {.dst = "224.0.0.251"});
  tcp(kTcpSyn, {.dst = "255.255.255.255"});
  tcp(kTcpAck, {.options = {131, 7, 4, 1, 2, 3, 4, 0}});
  tcp(kTcpAck, {.options = {137, 3, 4, 0}});
  tcp(kTcpAck, {.options = {7, 39, 4}});
  tcp(kTcpAck, {.options = {1, 1, 7, 1}});
  tcp(kTcpAck, {.options = {148, 4, 0, 0}});
  frame(PacketBuilder{}.eth().ipv4({.dst = "10.0.0.1"}).tcp({.src_port = 139, .dst_port = 139}));
  frame(PacketBuilder{}.eth().ipv6({.dst = "2001:db8::1"}).udp({.src_port = 53}));
  frame(PacketBuilder{}.eth().ipv6({.src = "::1", .dst = "::1"}).udp({.src_port = 53}));
  frame(PacketBuilder{}.eth().ipv4().udp({.dst_port = 0}).payload("x"));
  frame(PacketBuilder{}.eth().ipv4({.dst = "224.0.0.1"}).icmp());
  frame(PacketBuilder{}.eth({.dst = "ff:ff:ff:ff:ff:ff"}).ipv4().icmp());
  frame(PacketBuilder{}.eth().ipv6({.dst = "ff02::1"}).icmpv6());
  frame(PacketBuilder{}.eth().ipv4({.fragment_offset_bytes = 65'528}).payload_bytes(64));
  frame(
      PacketBuilder{}.eth().ipv4({.protocol = kProtoTcp, .fragment_offset_bytes = 8}).payload("x"));
  frame(PacketBuilder{}
            .eth()
            .ipv4({.protocol = kProtoTcp, .more_fragments = true})
            .payload("12345678"));
  frame(PacketBuilder{}
            .eth()
            .ipv6({.next_header = kProtoRouting})
            .payload(raw({kProtoTcp, 0, 0, 1, 0, 0, 0, 0}) + std::string(20, '\x50')));
  frame(PacketBuilder{}.eth().ipv4().ah().tcp());
  return all;
}

inline std::vector<Bytes> unusual_frames() {
  std::vector<Bytes> all = tunnel_frames();
  for (const auto& more : {icmp_error_frames(), finding_frames()})
    all.insert(all.end(), more.begin(), more.end());
  return all;
}

}  // namespace nids
