// SPDX-License-Identifier: Apache-2.0
#include "decode/segment.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "firstpass/twin.h"
#include "support/packet_builder.hpp"

namespace nids {
namespace {

constexpr std::size_t kHeaders = 14 + 20 + 20;
constexpr std::uint8_t kPush = 0x08;

OwnedPacket super_packet(const PacketBuilder& builder, std::uint32_t segment_len) {
  OwnedPacket packet;
  packet.own(builder.bytes());
  packet.frame_len = static_cast<std::uint32_t>(packet.bytes.size());
  packet.wire_len = packet.frame_len;
  packet.segment_len = segment_len;
  packet.class_id = 1;
  const nids_twin_frame frame{.bytes = packet.bytes.data(),
                              .captured_len = packet.frame_len,
                              .wire_len = packet.frame_len,
                              .time_ns = 0,
                              .l3_offset = 0,
                              .ether_type = 0,
                              .is_ethernet = 1};
  nids_twin_parse(&frame, &packet.headers, &packet.detail);
  if (segment_len != 0)
    packet.wire_packets = (packet.headers.payload_len + segment_len - 1) / segment_len;
  return packet;
}

PacketBuilder tcp(std::size_t payload) {
  return PacketBuilder{}
      .eth()
      .ipv4({.src = "10.0.0.2", .dst = "10.0.0.1"})
      .tcp({.dst_port = 22, .seq = 1000, .flags = kTcpAck | kTcpFin | kPush})
      .payload(std::string(payload, 'x'));
}

std::vector<OwnedPacket> split(const Packet& whole) {
  Packet packet = whole;
  std::vector<OwnedPacket> parts;
  std::vector<std::byte> buffer;
  each_wire_packet(packet, buffer, [&](const Packet& part) { parts.emplace_back(part); });
  return parts;
}

// As the receiver sees it.
nids_packet parsed(const Packet& part) {
  nids_packet headers{};
  const nids_twin_frame frame{.bytes = part.bytes.data(),
                              .captured_len = static_cast<std::uint32_t>(part.bytes.size()),
                              .wire_len = part.wire_len,
                              .time_ns = 0,
                              .l3_offset = 0,
                              .ether_type = 0,
                              .is_ethernet = 1};
  nids_twin_parse(&frame, &headers, nullptr);
  return headers;
}

std::uint32_t sequence(const Packet& part) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i)
    value = value << 8 | std::to_integer<std::uint32_t>(part.bytes[38u + static_cast<unsigned>(i)]);
  return value;
}

TEST(WirePackets, AnOrdinaryPacketComesAsItIs) {
  const OwnedPacket packet = super_packet(tcp(3000), 0);
  const auto parts = split(packet);

  ASSERT_EQ(parts.size(), 1u);
  EXPECT_TRUE(std::ranges::equal(parts[0].bytes, packet.bytes));
}

TEST(WirePackets, ATcpSuperPacketBecomesItsSegments) {
  const auto parts = split(super_packet(tcp(3000), 1448));

  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[0].bytes.size(), kHeaders + 1448);
  EXPECT_EQ(parts[2].bytes.size(), kHeaders + 104);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const nids_packet headers = parsed(parts[i]);
    EXPECT_EQ(headers.result, NIDS_PARSE_OK) << i;
    EXPECT_EQ(headers.payload_len, parts[i].headers.payload_len) << i;
    EXPECT_EQ(parts[i].wire_len, parts[i].bytes.size()) << i;
    EXPECT_EQ(sequence(parts[i]), 1000 + 1448 * i) << i;
  }
}

TEST(WirePackets, OnlyTheLastSegmentPushesAndEnds) {
  const auto parts = split(super_packet(tcp(2000), 1000));

  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parsed(parts[0]).tcp_flags, kTcpAck);
  EXPECT_EQ(parsed(parts[1]).tcp_flags, kTcpAck | kTcpFin | kPush);
}

TEST(WirePackets, AUdpSuperPacketBecomesDatagrams) {
  const auto builder =
      PacketBuilder{}.eth().ipv6().udp({.dst_port = 5060}).payload(std::string(2500, 'x'));
  const auto parts = split(super_packet(builder, 1000));

  ASSERT_EQ(parts.size(), 3u);
  for (const Packet& part : parts) EXPECT_EQ(parsed(part).result, NIDS_PARSE_OK);
  EXPECT_EQ(parsed(parts[2]).payload_len, 500u);
}

TEST(WirePackets, AUdpSuperPacketOfATunnelThatWasNotReadIsLeftWhole) {
  // Geneve: the segments are those of the TCP inside, whose headers are payload here.
  const auto builder =
      PacketBuilder{}.eth().ipv4().udp({.dst_port = 6081}).payload(std::string(3070, 'x'));
  OwnedPacket packet = super_packet(builder, 1000);
  packet.wire_packets = 3;
  EXPECT_EQ(split(packet).size(), 1u);
  packet.wire_packets = 4;
  EXPECT_EQ(split(packet).size(), 4u);
}

TEST(WirePackets, WhatWasNotCapturedIsMissingAtTheEndAndStillCounted) {
  OwnedPacket packet = super_packet(tcp(3000), 1000);
  packet.bytes = packet.bytes.first(kHeaders + 1500);
  const auto parts = split(packet);

  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[0].bytes.size(), kHeaders + 1000);
  EXPECT_EQ(parts[1].bytes.size(), kHeaders + 500);
  EXPECT_EQ(parts[2].bytes.size(), kHeaders);
  EXPECT_EQ(parts[2].wire_len, kHeaders + 1000);
}

TEST(WirePackets, ASuperPacketInATunnelIsLeftWholeAndAsItWas) {
  const auto builder = PacketBuilder{}
                           .eth()
                           .ipv4()
                           .udp({.dst_port = kVxlanPort})
                           .vxlan()
                           .eth()
                           .ipv4()
                           .tcp({.dst_port = 22})
                           .payload(std::string(3000, 'x'));
  const OwnedPacket packet = super_packet(builder, 1000);
  ASSERT_EQ(packet.headers.tunnel, NIDS_TUNNEL_VXLAN);
  const auto parts = split(packet);

  ASSERT_EQ(parts.size(), 1u);
  EXPECT_TRUE(std::ranges::equal(parts[0].bytes, packet.bytes));
}

TEST(WirePackets, ASegmentLengthThatLiesDoesNotMakeThousands) {
  EXPECT_EQ(split(super_packet(tcp(3000), 1)).size(), 1u);
}

TEST(WirePackets, HeadersThatWereNotCapturedAreLeftWhole) {
  OwnedPacket packet = super_packet(tcp(3000), 1000);
  packet.bytes = packet.bytes.first(kHeaders - 1);
  EXPECT_EQ(split(packet).size(), 1u);
}

}  // namespace
}  // namespace nids
