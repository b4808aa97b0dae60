// SPDX-License-Identifier: Apache-2.0
#include "export/ipfix.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "support/flow_records.hpp"
#include "support/ipfix_decoder.hpp"

namespace nids {
namespace {

using Octets = std::vector<std::uint8_t>;

constexpr std::uint32_t kReversePen = 29'305;
constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

// By the numbers of IANA's registry.
enum : std::uint16_t {
  kOctets = 1,
  kPackets = 2,
  kProtocol = 4,
  kTcpFlags = 6,
  kSourcePort = 7,
  kSourceIpv4 = 8,
  kIngressInterface = 10,
  kDestinationPort = 11,
  kDestinationIpv4 = 12,
  kSourceIpv6 = 27,
  kDestinationIpv6 = 28,
  kIcmpIpv4 = 32,
  kVlan = 58,
  kEndReason = 136,
  kIcmpIpv6 = 139,
  kStartMs = 152,
  kEndMs = 153,
  kBiflowDirection = 239,
  kDot1qVlan = 243,
  kDot1qCustomerVlan = 245,
};

IpfixRecord round_trip(const FlowRecord& record) {
  ipfix::Message message;
  message.append_templates();
  EXPECT_TRUE(message.append(record));
  IpfixDecoder decoder;
  auto decoded = decoder.decode(message.finish({}));
  EXPECT_EQ(decoded.records.size(), 1u);
  return decoded.records.empty() ? IpfixRecord{} : decoded.records[0];
}

TEST(Ipfix, AnIpv4FlowIsToldInBothDirections) {
  FlowRecord flow = flow_between("192.0.2.10", 40'000, "198.51.100.20", 443);
  flow.ifindex = 0x01020304;
  flow.ends.vlan[0] = 100;
  flow.ends.vlan[1] = 4'094;
  flow.start.ns = 1'764'105'600'123'999'999;
  flow.end.ns = 1'764'105'602'623'000'000;
  flow.bytes[0] = 1'111;
  flow.packets[0] = 11;
  flow.tcp_flags[0] = 0x1b;
  flow.bytes[1] = 22'222;
  flow.packets[1] = 22;
  flow.tcp_flags[1] = 0x13;

  const IpfixRecord told = round_trip(flow);
  EXPECT_EQ(told.template_id, ipfix::kIpv4Template);
  EXPECT_EQ(told.values.size(), 20u);
  EXPECT_EQ(told.bytes(kSourceIpv4), (Octets{192, 0, 2, 10}));
  EXPECT_EQ(told.bytes(kDestinationIpv4), (Octets{198, 51, 100, 20}));
  EXPECT_EQ(told.number(kSourcePort), 40'000u);
  EXPECT_EQ(told.number(kDestinationPort), 443u);
  EXPECT_EQ(told.number(kIcmpIpv4), 0u);
  EXPECT_EQ(told.number(kProtocol), 6u);
  EXPECT_EQ(told.number(kBiflowDirection), 1u);
  EXPECT_EQ(told.number(kVlan), 100u);
  EXPECT_EQ(told.number(kDot1qVlan), 100u);
  EXPECT_EQ(told.number(kDot1qCustomerVlan), 4'094u);
  EXPECT_EQ(told.number(kIngressInterface), 0x01020304u);
  EXPECT_EQ(told.number(kStartMs), 1'764'105'600'123u);
  EXPECT_EQ(told.number(kEndMs), 1'764'105'602'623u);
  EXPECT_EQ(told.number(kOctets), 1'111u);
  EXPECT_EQ(told.number(kPackets), 11u);
  EXPECT_EQ(told.number(kTcpFlags), 0x1bu);
  EXPECT_EQ(told.number(kOctets, kReversePen), 22'222u);
  EXPECT_EQ(told.number(kPackets, kReversePen), 22u);
  EXPECT_EQ(told.number(kTcpFlags, kReversePen), 0x13u);
}

TEST(Ipfix, ElementsHaveTheirFullWidthOrTheReducedOneOfTheRfc) {
  const IpfixRecord told = round_trip(flow_between("192.0.2.1", 1, "192.0.2.2", 2));
  for (const std::uint16_t id : {kOctets, kPackets}) {
    EXPECT_EQ(told.bytes(id).size(), 8u);
    EXPECT_EQ(told.bytes(id, kReversePen).size(), 8u);
  }
  for (const std::uint16_t id : {kStartMs, kEndMs}) EXPECT_EQ(told.bytes(id).size(), 8u);
  for (const std::uint16_t id : {kProtocol, kEndReason, kBiflowDirection})
    EXPECT_EQ(told.bytes(id).size(), 1u);
  for (const std::uint16_t id :
       {kSourcePort, kDestinationPort, kIcmpIpv4, kTcpFlags, kVlan, kDot1qVlan, kDot1qCustomerVlan})
    EXPECT_EQ(told.bytes(id).size(), 2u);
  EXPECT_EQ(told.bytes(kIngressInterface).size(), 4u);
}

TEST(Ipfix, AnIpv6FlowHasItsOwnTemplate) {
  const IpfixRecord told =
      round_trip(flow_between("2001:db8::10", 6'000, "2001:db8::53", 53, IPPROTO_UDP));
  EXPECT_EQ(told.template_id, ipfix::kIpv6Template);
  EXPECT_EQ(told.values.size(), 20u);
  EXPECT_EQ(told.bytes(kSourceIpv6),
            (Octets{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10}));
  EXPECT_EQ(told.bytes(kDestinationIpv6),
            (Octets{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x53}));
  EXPECT_EQ(told.number(kProtocol), 17u);
  EXPECT_EQ(told.number(kSourcePort), 6'000u);
  EXPECT_EQ(told.number(kDestinationPort), 53u);
}

TEST(Ipfix, IcmpHasATypeAndACodeAndNoPorts) {
  FlowRecord ping = flow_between("192.0.2.1", 7, "192.0.2.2", 7, IPPROTO_ICMP);
  ping.icmp = IcmpTypes{3, 13, 0, 0};
  const IpfixRecord told = round_trip(ping);
  EXPECT_EQ(told.number(kIcmpIpv4), 3u * 256 + 13);
  EXPECT_EQ(told.number(kSourcePort), 0u);
  EXPECT_EQ(told.number(kDestinationPort), 0u);

  FlowRecord ping6 = flow_between("fd00::1", 7, "fd00::2", 7, IPPROTO_ICMPV6);
  ping6.icmp = IcmpTypes{255, 255, {}, {}};
  EXPECT_EQ(round_trip(ping6).number(kIcmpIpv6), 0xffffu);
}

TEST(Ipfix, CountsOfAnySizeArriveWhole) {
  FlowRecord flow = flow_between("192.0.2.1", 65'535, "192.0.2.2", 65'535);
  flow.ends.vlan[0] = flow.ends.vlan[1] = 0xffff;
  flow.ifindex = 0xffff'ffff;
  flow.start.ns = flow.end.ns = kMost;
  flow.packets[0] = (1ull << 33) + 1;
  flow.packets[1] = flow.bytes[0] = flow.bytes[1] = kMost;
  flow.tcp_flags[0] = flow.tcp_flags[1] = 0xff;
  const IpfixRecord told = round_trip(flow);
  EXPECT_EQ(told.number(kPackets), (1ull << 33) + 1);
  EXPECT_EQ(told.number(kPackets, kReversePen), kMost);
  EXPECT_EQ(told.number(kOctets), kMost);
  EXPECT_EQ(told.number(kOctets, kReversePen), kMost);
  EXPECT_EQ(told.number(kTcpFlags), 0xffu);
  EXPECT_EQ(told.number(kEndMs), kMost / 1'000'000);
}

TEST(Ipfix, TheEndHasAReason) {
  FlowRecord flow = flow_between("192.0.2.1", 1, "192.0.2.2", 2);
  const auto told = [&flow](FlowReason reason, FlowState state) {
    flow.reason = reason;
    flow.state = state;
    return round_trip(flow).number(kEndReason);
  };
  EXPECT_EQ(told(FlowReason::kTimeout, FlowState::kNew), 1u) << "idle";
  EXPECT_EQ(told(FlowReason::kTimeout, FlowState::kEstablished), 1u) << "idle";
  EXPECT_EQ(told(FlowReason::kTimeout, FlowState::kClosed), 3u) << "end of flow detected";
  EXPECT_EQ(told(FlowReason::kInterim, FlowState::kEstablished), 2u) << "active timeout";
  EXPECT_EQ(told(FlowReason::kShutdown, FlowState::kEstablished), 4u) << "forced end";
  EXPECT_EQ(told(FlowReason::kForced, FlowState::kEstablished), 5u) << "lack of resources";
  EXPECT_EQ(told(FlowReason::kForced, FlowState::kClosed), 3u) << "end of flow detected";
}

TEST(Ipfix, TheHeaderSaysWhenAndFromWhom) {
  ipfix::Message message;
  message.append_templates();
  IpfixDecoder decoder;
  const auto decoded =
      decoder.decode(message.finish({{1'764'105'700'999'999'999}, 0xffff'fffe, 0x01020304}));
  EXPECT_EQ(decoded.export_seconds, 1'764'105'700u);
  EXPECT_EQ(decoded.sequence, 0xffff'fffeu);
  EXPECT_EQ(decoded.domain, 0x01020304u);
  EXPECT_EQ(decoded.set_ids, (std::vector<std::uint16_t>{2, 2})) << "a set each";
  EXPECT_EQ(decoded.templates, 2u);
}

TEST(Ipfix, RecordsOfOneTemplateInARowShareASet) {
  const FlowRecord ipv4 = flow_between("192.0.2.1", 1, "192.0.2.2", 2);
  const FlowRecord ipv6 = flow_between("fd00::1", 1, "fd00::2", 2);
  ipfix::Message message;
  message.append_templates();
  for (const FlowRecord* record : {&ipv4, &ipv4, &ipv6, &ipv4})
    EXPECT_TRUE(message.append(*record));
  IpfixDecoder decoder;
  const auto decoded = decoder.decode(message.finish({}));
  EXPECT_EQ(decoded.set_ids, (std::vector<std::uint16_t>{2, 2, 256, 257, 256}));
  EXPECT_EQ(decoded.records.size(), 4u);
  EXPECT_EQ(message.records(), 4u);
}

TEST(Ipfix, AFullMessageKeepsWhatItHasAndStaysWithinThePath) {
  const FlowRecord ipv4 = flow_between("192.0.2.1", 1, "192.0.2.2", 2);
  const FlowRecord ipv6 = flow_between("fd00::1", 1, "fd00::2", 2);
  for (const bool mixed : {false, true}) {
    ipfix::Message message;
    message.append_templates();
    std::uint32_t taken = 0;
    while (message.append(mixed && taken % 2 == 0 ? ipv6 : ipv4)) ++taken;
    EXPECT_GE(taken, 10u);
    EXPECT_EQ(message.records(), taken);
    const auto bytes = message.finish({});
    EXPECT_LE(bytes.size(), 1'400u);
    EXPECT_GT(bytes.size(), 1'400u - 120u);
    IpfixDecoder decoder;
    EXPECT_EQ(decoder.decode(bytes).records.size(), taken);
  }
}

TEST(Ipfix, AClearedMessageIsAsNew) {
  ipfix::Message message;
  message.append_templates();
  EXPECT_TRUE(message.append(flow_between("192.0.2.1", 1, "192.0.2.2", 2)));
  message.finish({});
  EXPECT_FALSE(message.is_empty());
  message.clear();
  EXPECT_TRUE(message.is_empty());
  EXPECT_FALSE(message.has_templates());
  EXPECT_EQ(message.records(), 0u);
  EXPECT_EQ(message.finish({}).size(), 16u);
}

}  // namespace
}  // namespace nids
