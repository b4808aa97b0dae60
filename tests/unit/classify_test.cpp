// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "firstpass/first_pass.hpp"
#include "support/class_tables.hpp"
#include "support/packet_builder.hpp"
#include "support/ring_records.hpp"

namespace nids {
namespace {

enum Class : std::uint8_t { kNone, kSsh, kHttps, kDns, kNetis, kCounted };

constexpr std::uint16_t kNetisPort = 53'413;  // inside the ephemeral range

class Classify : public testing::Test {
 protected:
  static constexpr std::uint32_t kSlots = NIDS_WAYS;  // one set, so that eviction is easy
  static constexpr std::uint32_t kCells = 4096;       // as many as the larger table has slots

  Classify() { restart(); }

  // With empty tables.
  void restart() {
    pass_ = std::make_unique<FirstPass>(FirstPass::Setup{.slots = kSlots, .slots_ipv6 = kCells},
                                        tables_.classes, *tables_.ports,
                                        [this](auto record) { records_.take(record); });
  }

  void send(const PacketBuilder& builder) {
    const Bytes frame = builder.bytes();
    const auto length = static_cast<std::uint32_t>(frame.size());
    records_.clear();
    pass_->packet({.bytes = frame.data(),
                   .captured_len = length,
                   .wire_len = length,
                   .time_ns = now_ns_ += 1'000'000,
                   .is_ethernet = 1});
  }

  void tcp(std::uint16_t src_port, std::uint16_t dst_port, std::uint8_t flags) {
    const bool client = src_port > dst_port;
    send(PacketBuilder{}
             .eth()
             .ipv4(
                 {.src = client ? "10.0.0.1" : "10.0.0.2", .dst = client ? "10.0.0.2" : "10.0.0.1"})
             .tcp({.src_port = src_port, .dst_port = dst_port, .flags = flags}));
  }

  void udp(const char* src, std::uint16_t src_port, const char* dst, std::uint16_t dst_port) {
    send(PacketBuilder{}
             .eth()
             .ipv4({.src = src, .dst = dst})
             .udp({.src_port = src_port, .dst_port = dst_port}));
  }

  // Newer flows push out all that the table holds.
  void forget_flows() {
    for (std::uint16_t i = 0; i < kSlots; ++i)
      udp("172.16.0.1", static_cast<std::uint16_t>(1024 + i), "172.16.0.2", 9999);
  }

  // The class of the packet sent last; 0 where it did not go up.
  int sent_up_as() const {
    return records_.packets.empty() ? int{kNone} : records_.packets.back().head.class_id;
  }
  bool from_opener() const { return records_.packets.back().head.from_opener == 1; }
  const nids_counters& counters() const { return pass_->counters(); }

  ClassTables tables_{{.name = "ssh", .tcp = {22}},
                      {.name = "https", .tcp = {443, 8443}},
                      {.name = "dns", .udp = {53}},
                      {.name = "netis", .udp = {kNetisPort}},
                      {.name = "counted", .tcp = {25}, .interest = NIDS_INTEREST_COUNT}};
  std::unique_ptr<FirstPass> pass_;
  RingRecords records_;
  std::uint64_t now_ns_ = 0;
};

TEST_F(Classify, SynDecidesByTheOpenersDestinationPort) {
  tcp(50'000, 22, kTcpSyn);
  ASSERT_EQ(sent_up_as(), kSsh);
  EXPECT_TRUE(from_opener());
  EXPECT_EQ(counters().classes[kSsh].flows, 1u);
  EXPECT_EQ(counters().classes[kSsh].packets, 1u);
  EXPECT_EQ(counters().classes[kSsh].bytes, 54u);
}

TEST_F(Classify, SynAckIsTurnedRound) {
  tcp(22, 50'000, kTcpSyn | kTcpAck);
  ASSERT_EQ(sent_up_as(), kSsh);
  EXPECT_FALSE(from_opener());

  tcp(50'000, 22, kTcpAck);
  ASSERT_EQ(sent_up_as(), kSsh);
  EXPECT_TRUE(from_opener());
}

TEST_F(Classify, SynAckTowardsAServicePortIsStillOfItsSource) {
  tcp(8443, 22, kTcpSyn | kTcpAck);
  EXPECT_EQ(sent_up_as(), kHttps);
}

TEST_F(Classify, FlowIsCountedAsOpenedOnlyByItsOpenersSide) {
  tcp(22, 50'000, kTcpSyn | kTcpAck);
  EXPECT_EQ(counters().classes[kSsh].flows, 0u);
  EXPECT_EQ(counters().flows_created, 1u);
}

TEST_F(Classify, SynFromAServicePortIsNotOfThatService) {
  tcp(22, 8080, kTcpSyn);
  EXPECT_EQ(sent_up_as(), kNone);
  EXPECT_EQ(counters().classes[kSsh].packets, 0u);
}

TEST_F(Classify, FlowPickedUpMidstreamIsOfEitherEndsService) {
  tcp(50'000, 22, kTcpAck);
  ASSERT_EQ(sent_up_as(), kSsh);
  EXPECT_TRUE(from_opener());

  restart();
  tcp(22, 50'000, kTcpAck);
  ASSERT_EQ(sent_up_as(), kSsh);
  EXPECT_FALSE(from_opener());
}

TEST_F(Classify, SourcePortDoesNotDecideTowardsASystemPort) {
  tcp(8443, 111, kTcpAck);
  EXPECT_EQ(sent_up_as(), kNone);
  tcp(8443, 1023, kTcpAck);
  EXPECT_EQ(sent_up_as(), kNone);
  tcp(8443, 1024, kTcpAck);
  EXPECT_EQ(sent_up_as(), kHttps);
}

TEST_F(Classify, DestinationPortGoesBeforeTheSourcePort) {
  tcp(443, 22, kTcpAck);
  EXPECT_EQ(sent_up_as(), kSsh);
}

TEST_F(Classify, SourcePortInTheEphemeralRangeNeverDecides) {
  for (const std::uint16_t port : {32'768, 60'999}) tables_.ports->tcp[port] = kSsh;
  for (const std::uint16_t port : {32'767, 61'000}) tables_.ports->tcp[port] = kHttps;
  restart();
  tcp(32'768, 8080, kTcpAck);
  EXPECT_EQ(sent_up_as(), kNone);
  tcp(60'999, 8080, kTcpAck);
  EXPECT_EQ(sent_up_as(), kNone);
  tcp(32'767, 8080, kTcpAck);
  EXPECT_EQ(sent_up_as(), kHttps);
  tcp(61'000, 8080, kTcpAck);
  EXPECT_EQ(sent_up_as(), kHttps);
}

TEST_F(Classify, DnsQuerySentFromTheNetisPortIsDnsAndSoIsItsAnswer) {
  udp("10.0.0.1", kNetisPort, "10.0.0.53", 53);
  ASSERT_EQ(sent_up_as(), kDns);
  EXPECT_TRUE(from_opener());
  udp("10.0.0.53", 53, "10.0.0.1", kNetisPort);
  ASSERT_EQ(sent_up_as(), kDns);
  EXPECT_FALSE(from_opener());
  EXPECT_EQ(counters().classes[kNetis].packets, 0u);
}

TEST_F(Classify, AnswerAfterItsFlowWasPushedOutIsStillWhatTheQueryTold) {
  udp("10.0.0.1", kNetisPort, "10.0.0.53", 53);
  forget_flows();
  udp("10.0.0.53", 53, "10.0.0.1", kNetisPort);
  ASSERT_EQ(sent_up_as(), kDns);
  EXPECT_FALSE(from_opener());

  // Without that memory the answer alone looks like a packet to the back door.
  restart();
  udp("10.0.0.53", 53, "10.0.0.1", kNetisPort);
  EXPECT_EQ(sent_up_as(), kNetis);
}

TEST_F(Classify, BackDoorsAnswerAfterItsFlowWasPushedOutIsStillNetis) {
  udp("10.0.0.1", 40'000, "10.0.0.9", kNetisPort);
  ASSERT_EQ(sent_up_as(), kNetis);
  EXPECT_TRUE(from_opener());
  forget_flows();
  udp("10.0.0.9", kNetisPort, "10.0.0.1", 40'000);
  ASSERT_EQ(sent_up_as(), kNetis);
  EXPECT_FALSE(from_opener());
}

std::string address(int i) {
  return "10." + std::to_string(1 + i / 65536) + "." + std::to_string(i / 256 % 256) + "." +
         std::to_string(i % 256);
}

TEST_F(Classify, EachForgottenOpenerIsCountedWhateverItsClass) {
  constexpr std::uint32_t kFlows = 3 * kCells;
  for (std::uint32_t i = 0; i < kFlows; ++i) {
    const std::string client = address(static_cast<int>(i));
    udp(client.c_str(), 40'000, "10.0.0.9", i % 2 == 0 ? kNetisPort : std::uint16_t{9999});
  }
  EXPECT_GE(counters().cells_replaced, kFlows - kCells);
  EXPECT_LT(counters().cells_replaced, kFlows);
}

TEST_F(Classify, AFlowThatComesBackToItsOwnCellReplacesNone) {
  udp("10.0.0.1", kNetisPort, "10.0.0.53", 53);
  const std::uint64_t before = counters().cells_replaced;
  forget_flows();
  const std::uint64_t by_others = counters().cells_replaced - before;
  tcp(50'000, 22, kTcpSyn);
  tcp(50'000, 22, kTcpRst);
  tcp(50'000, 22, kTcpSyn);  // the same ends anew
  EXPECT_LE(counters().cells_replaced, before + by_others + 1);
}

TEST_F(Classify, PortBelongsToOneTransportOnly) {
  tcp(50'000, 53, kTcpSyn);
  EXPECT_EQ(sent_up_as(), kNone);
  udp("10.0.0.1", 40'000, "10.0.0.2", 22);
  EXPECT_EQ(sent_up_as(), kNone);
  send(PacketBuilder{}.eth().ipv4().sctp({.dst_port = 22}));
  EXPECT_EQ(sent_up_as(), kNone);
  send(PacketBuilder{}.eth().ipv4().icmp({.id = 22}));
  EXPECT_EQ(sent_up_as(), kNone);
}

TEST_F(Classify, Ipv6AndVlanFlowsHaveClassesToo) {
  send(PacketBuilder{}.eth().ipv6().tcp({.dst_port = 22, .flags = kTcpSyn}));
  EXPECT_EQ(sent_up_as(), kSsh);
  send(PacketBuilder{}.eth().vlan(7).ipv4().tcp({.dst_port = 22, .flags = kTcpSyn}));
  EXPECT_EQ(sent_up_as(), kSsh);
}

TEST_F(Classify, FlowKeepsTheClassOfItsFirstPacket) {
  udp("10.0.0.2", 9999, "10.0.0.1", 50'000);
  tables_.ports->udp[9999] = kDns;  // a copy was taken: no effect on the flow or the table
  udp("10.0.0.2", 9999, "10.0.0.1", 50'000);
  EXPECT_EQ(sent_up_as(), kNone);
  tcp(50'000, 443, kTcpSyn);
  tcp(443, 50'000, kTcpSyn | kTcpAck);
  EXPECT_EQ(sent_up_as(), kHttps);
  EXPECT_EQ(counters().classes[kHttps].flows, 1u);
  EXPECT_EQ(counters().classes[kHttps].packets, 2u);
}

TEST_F(Classify, ClassOfInterestCountNeverGoesUpAndIsCounted) {
  tcp(50'000, 25, kTcpSyn);
  EXPECT_EQ(sent_up_as(), kNone);
  EXPECT_EQ(counters().classes[kCounted].packets, 1u);
  EXPECT_EQ(counters().classes[kCounted].flows, 1u);
  EXPECT_EQ(counters().beyond_depth.packets, 0u);
}

}  // namespace
}  // namespace nids
