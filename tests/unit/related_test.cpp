// SPDX-License-Identifier: Apache-2.0
// Packets of flows that their own headers don't name: ICMP errors and later fragments, through the
// native first pass. None of them is a finding.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "support/twin_run.hpp"

namespace nids {
namespace {

constexpr std::uint16_t kClientPort = 40'000, kServerPort = 5'353;

class Related : public testing::TestWithParam<bool> {  // whether of IPv6
 protected:
  // Written so that the client is `lo`.
  std::string client() const { return GetParam() ? "2001:db8::1" : "10.0.0.1"; }
  std::string server() const { return GetParam() ? "2001:db8::2" : "10.0.0.2"; }
  std::string router() const { return GetParam() ? "2001:db8::9" : "10.0.0.9"; }

  void add_ip(PacketBuilder& builder, const std::string& src, const std::string& dst) const {
    if (GetParam())
      builder.ipv6({.src = src, .dst = dst});
    else
      builder.ipv4({.src = src, .dst = dst});
  }
  PacketBuilder ip(const std::string& src, const std::string& dst) const {
    PacketBuilder builder;
    builder.eth();
    add_ip(builder, src, dst);
    return builder;
  }
  PacketBuilder request() const {
    return ip(client(), server()).udp({.src_port = kClientPort, .dst_port = kServerPort});
  }
  // About a packet from the client to that port of the server.
  PacketBuilder error(const std::string& src, std::uint16_t port = kServerPort) const {
    PacketBuilder builder = ip(src, client());
    if (GetParam())
      builder.icmpv6({.type = kIcmpv6Unreachable, .code = 4});
    else
      builder.icmp({.type = kIcmpUnreachable, .code = 3});
    add_ip(builder, client(), server());
    return builder.udp({.src_port = kClientPort, .dst_port = port});
  }

  struct Piece {
    std::uint32_t offset = 0;
    bool has_more = true;
    std::uint16_t id = 7;
    bool is_back = false;  // from the server
    std::uint8_t protocol = kProtoUdp;
  };
  PacketBuilder fragment(const Piece& piece) const {
    const std::string src = piece.is_back ? server() : client();
    const std::string dst = piece.is_back ? client() : server();
    PacketBuilder builder;
    builder.eth();
    if (GetParam())
      builder.ipv6({.src = src, .dst = dst})
          .fragment({.offset_bytes = piece.offset,
                     .more_fragments = piece.has_more,
                     .id = piece.id,
                     .next_header = piece.protocol});
    else
      builder.ipv4({.src = src,
                    .dst = dst,
                    .protocol = piece.protocol,
                    .id = piece.id,
                    .more_fragments = piece.has_more,
                    .fragment_offset_bytes = piece.offset});
    if (piece.offset != 0) return builder.payload_bytes(800);
    if (piece.protocol == kProtoTcp)
      return builder.tcp({.src_port = kClientPort, .dst_port = 80}).payload_bytes(780);
    return builder
        .udp({.src_port = piece.is_back ? kServerPort : kClientPort,
              .dst_port = piece.is_back ? kClientPort : kServerPort,
              .len = 1'600})
        .payload_bytes(792);
  }

  void TearDown() override {
    EXPECT_TRUE(twin_.packets.empty()) << "nothing is wanted above";
    const auto& findings = twin_.counters().findings;
    EXPECT_EQ(std::accumulate(std::begin(findings), std::end(findings), std::uint64_t{0}), 0u);
  }

  ClassTables tables_{};
  TwinRun twin_{FirstPass::Setup{.slots = 64, .slots_ipv6 = 64}, tables_};
};

TEST_P(Related, AnErrorCountsToTheFlowThatItQuotesOnTheSideThatAnswers) {
  twin_.send(request());
  std::uint64_t bytes = 0;
  for (const std::string& src : {server(), router()}) {
    bytes += error(src).bytes().size();
    twin_.send(error(src));
  }
  const auto slots = twin_.slots();
  ASSERT_EQ(slots.size(), 1u);
  EXPECT_EQ(slots[0].key.l4_proto, kProtoUdp);
  EXPECT_EQ(slots[0].packets[NIDS_FROM_LO], 1u);
  EXPECT_EQ(slots[0].packets[NIDS_FROM_HI], 2u);
  EXPECT_EQ(slots[0].bytes[NIDS_FROM_HI], bytes);
  EXPECT_EQ(slots[0].tcp_flags[NIDS_FROM_HI], 0);
  EXPECT_FALSE(slots[0].opener_is_hi);
  EXPECT_EQ(twin_.counters().flows_created, 1u);
}

TEST_P(Related, AnErrorAboutAConnectionIsNoFirstEventOfIt) {
  twin_.send(
      ip(client(), server()).tcp({.src_port = kClientPort, .dst_port = 80, .flags = kTcpSyn}));
  PacketBuilder about = ip(router(), client());
  if (GetParam())
    about.icmpv6({.type = kIcmpv6Unreachable});
  else
    about.icmp({.type = kIcmpTimeExceeded});
  add_ip(about, client(), server());
  twin_.send(about.tcp({.src_port = kClientPort, .dst_port = 80, .flags = kTcpSyn}));
  const auto slots = twin_.slots();
  ASSERT_EQ(slots.size(), 1u);
  EXPECT_EQ(slots[0].packets[NIDS_FROM_HI], 1u);
  EXPECT_EQ(slots[0].events, NIDS_EVENT_SYN);
  EXPECT_EQ(slots[0].history, 1u);
}

TEST_P(Related, AnErrorAboutAFlowThatNobodyKnowsIsOfItsOwn) {
  twin_.send(request());
  twin_.send(error(server(), 9'999));
  const auto slots = twin_.slots();
  ASSERT_EQ(slots.size(), 2u);
  const auto own = std::ranges::find_if(
      slots, [](const FlowPart& part) { return part.key.l4_proto != kProtoUdp; });
  ASSERT_NE(own, slots.end());
  EXPECT_EQ(own->key.l4_proto, GetParam() ? kProtoIcmpv6 : kProtoIcmp);
  EXPECT_EQ(own->packets[NIDS_FROM_HI], 1u);
}

TEST_P(Related, LaterFragmentsCountToTheFlowOfTheirDatagram) {
  twin_.send(request());
  twin_.send(fragment({}));
  twin_.send(fragment({.offset = 800}));
  twin_.wait(29 * kSecond_ns);
  twin_.send(fragment({.offset = 1'600, .has_more = false}));
  const auto slots = twin_.slots();
  ASSERT_EQ(slots.size(), 1u);
  EXPECT_EQ(slots[0].packets[NIDS_FROM_LO], 4u);
  EXPECT_EQ(slots[0].key.lo_port, kClientPort);
  EXPECT_EQ(twin_.counters().no_flow.packets, 0u);
}

TEST_P(Related, LaterFragmentsOfTcpSayNothingOfItsFlags) {
  twin_.send(fragment({.protocol = kProtoTcp}));
  twin_.send(fragment({.offset = 800, .has_more = false, .protocol = kProtoTcp}));
  const auto slots = twin_.slots();
  ASSERT_EQ(slots.size(), 1u);
  EXPECT_EQ(slots[0].packets[NIDS_FROM_LO], 2u);
  EXPECT_EQ(slots[0].tcp_flags[NIDS_FROM_LO], kTcpAck);
}

TEST_P(Related, AFragmentOfAnotherDatagramIsOfNoFlow) {
  twin_.send(fragment({}));
  twin_.send(fragment({.offset = 800, .id = 8}));
  twin_.send(fragment({.offset = 800, .is_back = true}));
  // In IPv6 the protocol is not part of a datagram's identity: RFC 8200 section 4.5.
  if (!GetParam()) twin_.send(fragment({.offset = 800, .protocol = kProtoTcp}));
  const std::uint64_t no_flow = GetParam() ? 2 : 3;
  EXPECT_EQ(twin_.counters().no_flow.packets, no_flow);
  twin_.send(fragment({.is_back = true}));
  twin_.send(fragment({.offset = 800, .is_back = true}));
  EXPECT_EQ(twin_.counters().no_flow.packets, no_flow);
  const auto slots = twin_.slots();
  ASSERT_EQ(slots.size(), 1u);
  EXPECT_EQ(slots[0].packets[NIDS_FROM_LO], 1u);
  EXPECT_EQ(slots[0].packets[NIDS_FROM_HI], 2u);
}

TEST_P(Related, AFragmentThatComesBeforeTheFirstIsOfNoFlow) {
  twin_.send(fragment({.offset = 800}));
  twin_.send(fragment({}));
  EXPECT_EQ(twin_.counters().no_flow.packets, 1u);
  EXPECT_EQ(twin_.slots().at(0).packets[NIDS_FROM_LO], 1u);
}

TEST_P(Related, AFragmentAfterHalfAMinuteIsOfNoFlow) {
  twin_.send(fragment({}));
  twin_.wait(31 * kSecond_ns);
  twin_.send(fragment({.offset = 800}));
  EXPECT_EQ(twin_.counters().no_flow.packets, 1u);
}

INSTANTIATE_TEST_SUITE_P(Ip, Related, testing::Bool(), [](const auto& one) {
  return one.param ? std::string("v6") : std::string("v4");
});

}  // namespace
}  // namespace nids
