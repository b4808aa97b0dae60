// SPDX-License-Identifier: Apache-2.0
// Interfaces that carry the two directions of one link: their flows join, whichever is read first.
#include "net/links.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <memory>
#include <string>
#include <vector>

#include "alert/suppression.hpp"
#include "analyse/flow/connection_outcome.hpp"
#include "flow/flow_table.hpp"
#include "net/tcp_flags.hpp"
#include "output/names.hpp"
#include "support/collected.hpp"
#include "support/track.hpp"

namespace nids {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000, kMs = 1'000'000;
constexpr std::uint32_t kToServer = 5, kToClient = 3, kOther = 7;
const Links kTap({{.name = "tap", .interfaces = {kToServer, kToClient}}});

std::uint16_t by_lo(unsigned events) { return static_cast<std::uint16_t>(events); }
std::uint16_t by_hi(unsigned events) {
  return static_cast<std::uint16_t>(events << NIDS_EVENTS_PER_SENDER);
}

TEST(Links, HaveTheLowestIndexOfTheirInterfacesAsId) {
  EXPECT_EQ(kTap.id_of(kToServer), kToClient);
  EXPECT_EQ(kTap.id_of(kToClient), kToClient);
  EXPECT_EQ(kTap.id_of(kOther), kOther);
  EXPECT_EQ(kTap.find(kToClient)->name, "tap");
  EXPECT_EQ(kTap.find(kToServer), nullptr);
  EXPECT_EQ(kTap.find(kOther), nullptr);
}

TEST(Links, VisitEveryInterfaceOfALinkAndEachOtherInterfaceAlone) {
  const auto visited = [](std::uint32_t id) {
    std::vector<std::uint32_t> all;
    kTap.each_interface(id, [&](std::uint32_t ifindex) { all.push_back(ifindex); });
    return all;
  };
  EXPECT_EQ(visited(kToClient), (std::vector{kToServer, kToClient}));
  EXPECT_EQ(visited(kOther), std::vector{kOther});
}

TEST(Links, NameTheLinkInRecordsOfJoinedFlows) {
  const Names names{.interfaces = {{kToServer, "eth1"}, {kToClient, "eth2"}, {kOther, "eth3"}},
                    .links = kTap};
  EXPECT_EQ(names.link(kToClient), "tap");
  EXPECT_EQ(names.link(kOther), "eth3");
  EXPECT_EQ(names.interface(kToClient), "eth2");
}

TEST(Links, AnAlertOnOneInterfaceSuppressesTheSameOnTheOther) {
  Suppression suppression({.window = std::chrono::seconds(60), .links = kTap});
  Alert alert;
  alert.ifindex = kToServer;
  EXPECT_TRUE(suppression.admit(alert));
  alert.ifindex = kToClient;
  EXPECT_FALSE(suppression.admit(alert));
  alert.ifindex = kOther;
  EXPECT_TRUE(suppression.admit(alert));
}

// The client is 10.0.0.2, `hi`; the server 10.0.0.1, `lo`.
class JoinedInterfaces : public testing::Test {
 protected:
  void start(const Links& links = kTap) {
    records_.clear();
    table_ = std::make_unique<FlowTable>(FlowTable::Limits{.links = links},
                                         [this](const Flow& flow, FlowReason reason) {
                                           records_.push_back(table_->record_of(flow, reason));
                                         });
  }
  void SetUp() override { start(); }
  void end() { table_->end_all(FlowReason::kShutdown); }

  static FlowPart part(std::uint32_t ifindex, std::uint64_t created_ns, std::uint64_t last_ns) {
    FlowPart part;
    part.key.lo_addr[0] = part.key.hi_addr[0] = 10;
    part.key.lo_addr[3] = 1;
    part.key.hi_addr[3] = 2;
    part.key.lo_port = 80;
    part.key.hi_port = 40'000;
    part.key.l4_proto = IPPROTO_TCP;
    part.key.ip_version = 4;
    part.ifindex = ifindex;
    part.created = {created_ns};
    part.last = {last_ns};
    const nids_sender sender = ifindex == kToServer ? NIDS_FROM_HI : NIDS_FROM_LO;
    part.packets[sender] = sender == NIDS_FROM_HI ? 4 : 3;
    part.bytes[sender] = part.packets[sender] * 100;
    part.opener_is_hi = sender == NIDS_FROM_HI;  // each side sends first on its interface
    return part;
  }
  static FlowPart of_client(std::uint64_t created_ns = 100 * kSecond,
                            std::uint64_t last_ns = 101 * kSecond) {
    FlowPart half = part(kToServer, created_ns, last_ns);
    half.tcp_flags[NIDS_FROM_HI] = kTcpSyn | kTcpAck | kTcpFin;
    half.events = by_hi(NIDS_EVENT_SYN | NIDS_EVENT_ACK | NIDS_EVENT_DATA | NIDS_EVENT_FIN);
    half.history = 0xba97;  // of this interface only: S A D F
    return half;
  }
  static FlowPart of_server(std::uint64_t created_ns = 100 * kSecond + kMs,
                            std::uint64_t last_ns = 101 * kSecond) {
    FlowPart half = part(kToClient, created_ns, last_ns);
    half.tcp_flags[NIDS_FROM_LO] = kTcpSyn | kTcpAck | kTcpFin;
    half.events = by_lo(NIDS_EVENT_SYN_ACK | NIDS_EVENT_ACK | NIDS_EVENT_DATA | NIDS_EVENT_FIN);
    half.opener_is_hi = true;  // by the SYN-ACK
    half.history = 0x5432;
    return half;
  }
  static FlowPart udp(FlowPart half, std::uint16_t server_port, std::uint16_t client_port) {
    half.key.l4_proto = IPPROTO_UDP;
    half.key.lo_port = server_port;
    half.key.hi_port = client_port;
    half.events = half.packets[NIDS_FROM_HI] != 0 ? by_hi(NIDS_EVENT_DATA) : by_lo(NIDS_EVENT_DATA);
    half.opener_is_hi = half.packets[NIDS_FROM_HI] != 0;
    half.tcp_flags[0] = half.tcp_flags[1] = 0;
    return half;
  }
  // A packet of the same connection that reaches the agent.
  static Packet packet(std::uint32_t ifindex, std::uint8_t flags, std::uint64_t time_ns) {
    Packet packet;
    packet.ifindex = ifindex;
    packet.time = {time_ns};
    packet.headers.ip_version = 4;
    packet.headers.l4_proto = IPPROTO_TCP;
    packet.headers.flags = NIDS_PACKET_HAS_PORTS | NIDS_PACKET_IS_FLOW;
    packet.headers.tcp_flags = flags;
    const bool by_client = ifindex == kToServer;
    packet.headers.src[0] = packet.headers.dst[0] = 10;
    packet.headers.src[3] = by_client ? 2 : 1;
    packet.headers.dst[3] = by_client ? 1 : 2;
    packet.headers.src_port = by_client ? 40'000 : 80;
    packet.headers.dst_port = by_client ? 80 : 40'000;
    packet.from_opener = by_client;
    return packet;
  }
  void expect_one_connection() {
    ASSERT_EQ(records_.size(), 1u);
    const FlowRecord& record = records_[0];
    EXPECT_EQ(record.ifindex, kToClient);
    EXPECT_EQ(record.ends.client_port, 40'000);
    EXPECT_EQ(record.packets[0], 4u);
    EXPECT_EQ(record.packets[1], 3u);
    EXPECT_EQ(record.bytes[0], 400u);
    EXPECT_EQ(record.bytes[1], 300u);
    EXPECT_EQ(record.history, "ShADadFf");
    EXPECT_STREQ(name_of(record.conn_state), "SF");
  }

  std::unique_ptr<FlowTable> table_;
  std::vector<FlowRecord> records_;
};

TEST_F(JoinedInterfaces, HaveOneFlowInEitherOrder) {
  for (const bool client_first : {true, false}) {
    start();
    table_->add(client_first ? of_client() : of_server());
    table_->add(client_first ? of_server() : of_client());
    end();
    expect_one_connection();
  }
}

TEST_F(JoinedInterfaces, HaveTwoFlowsWithoutTheLink) {
  start(Links{});
  table_->add(of_client());
  table_->add(of_server());
  end();
  EXPECT_EQ(records_.size(), 2u);
}

TEST_F(JoinedInterfaces, AThirdInterfaceHasFlowsOfItsOwn) {
  FlowPart other = of_client();
  other.ifindex = kOther;
  table_->add(of_client());
  table_->add(of_server());
  table_->add(other);
  end();
  EXPECT_EQ(records_.size(), 2u);
}

// The ring of one interface may be read long before the ring of the other.
TEST_F(JoinedInterfaces, ASynThatIsReadAfterTheEndBeginsNoFlow) {
  const std::uint64_t start_ns = 100 * kSecond;
  Flow& first = track(*table_, packet(kToClient, kTcpSyn | kTcpAck, start_ns + kMs));
  const std::uint64_t id = first.id;
  track(*table_, packet(kToClient, kTcpFin | kTcpAck, start_ns + 5 * kMs));
  for (const auto& [flags, ms] :
       {std::pair<std::uint8_t, std::uint64_t>{kTcpSyn, 0}, {kTcpAck, 2}, {kTcpFin | kTcpAck, 4}}) {
    const Flow& flow = track(*table_, packet(kToServer, flags, start_ns + ms * kMs));
    EXPECT_EQ(flow.id, id);
    EXPECT_EQ(flow.opener(), NIDS_FROM_HI);
  }
  EXPECT_EQ(table_->size(), 1u);
}

TEST_F(JoinedInterfaces, ASynAfterTheEndBeginsTheNextFlow) {
  const std::uint64_t start_ns = 100 * kSecond;
  const std::uint64_t first = track(*table_, packet(kToServer, kTcpSyn, start_ns)).id;
  track(*table_, packet(kToClient, kTcpFin | kTcpAck, start_ns + kMs));
  const std::uint64_t next = track(*table_, packet(kToServer, kTcpSyn, start_ns + 50 * kMs)).id;
  EXPECT_NE(first, next);
  // A packet of the first flow that is read late.
  EXPECT_EQ(track(*table_, packet(kToServer, kTcpAck, start_ns + kMs)).id, first);
  EXPECT_EQ(track(*table_, packet(kToClient, kTcpSyn | kTcpAck, start_ns + 51 * kMs)).id, next);
}

TEST_F(JoinedInterfaces, AFlowThatEndedOnOneInterfaceGetsTheOtherHalfLate) {
  FlowPart ended = of_client();
  ended.is_ended = true;
  table_->add(ended);
  table_->add(of_client(110 * kSecond, 111 * kSecond));  // the same ports again
  FlowPart late = of_server();
  late.is_ended = true;
  table_->add(late);
  table_->add(of_server(110 * kSecond + kMs, 111 * kSecond));
  end();
  ASSERT_EQ(records_.size(), 2u);
  for (const FlowRecord& record : records_) {
    EXPECT_EQ(record.packets[0], 4u);
    EXPECT_EQ(record.packets[1], 3u);
  }
}

TEST_F(JoinedInterfaces, ASynAckThatIsReadBeforeItsSynProvesTheOpener) {
  Handshake seen;
  seen.add(NIDS_FROM_LO, kTcpSyn | kTcpAck, Handshake::Numbers{2000, 1001});
  EXPECT_FALSE(seen.proves(NIDS_FROM_HI));
  seen.add(NIDS_FROM_HI, kTcpSyn, Handshake::Numbers{1000, 0});
  EXPECT_TRUE(seen.proves(NIDS_FROM_HI));
  EXPECT_FALSE(seen.proves(NIDS_FROM_LO));
}

TEST_F(JoinedInterfaces, ASynAckToAnotherSynProvesNothing) {
  Handshake seen;
  seen.add(NIDS_FROM_LO, kTcpSyn | kTcpAck, Handshake::Numbers{2000, 777});
  seen.add(NIDS_FROM_HI, kTcpSyn, Handshake::Numbers{1000, 0});
  EXPECT_FALSE(seen.proves(NIDS_FROM_HI));
}

// Datagrams have no handshake, and each interface has seen one sender only.
TEST_F(JoinedInterfaces, TheSenderOfTheFirstDatagramIsTheClient) {
  for (const bool client_first : {true, false}) {
    start();
    const FlowPart asked = udp(of_client(100 * kSecond, 100 * kSecond), 50'000, 40'000);
    const FlowPart answered =
        udp(of_server(100 * kSecond + 50 * kMs, 100 * kSecond + 50 * kMs), 50'000, 40'000);
    table_->add(client_first ? asked : answered);
    table_->add(client_first ? answered : asked);
    end();
    ASSERT_EQ(records_.size(), 1u);
    EXPECT_EQ(records_[0].ends.client_port, 40'000)
        << "although the port of the client is the lower one";
    EXPECT_STREQ(name_of(records_[0].conn_state), "SF");
  }
}

TEST_F(JoinedInterfaces, PortsDecideTheOpenerWithinATick) {
  for (const bool client_first : {true, false}) {
    start();
    const FlowPart asked = udp(of_client(), 53, 40'000);
    const FlowPart answered = udp(of_server(100 * kSecond - kMs), 53, 40'000);
    table_->add(client_first ? asked : answered);
    table_->add(client_first ? answered : asked);
    end();
    ASSERT_EQ(records_.size(), 1u);
    EXPECT_EQ(records_[0].ends.server_port, 53);
  }
}

TEST_F(JoinedInterfaces, AClassDecidesBeforeThePorts) {
  for (const bool client_first : {true, false}) {
    start();
    FlowPart asked = udp(of_client(), 53'413, 1000);
    asked.class_id = 4;
    FlowPart answered = udp(of_server(), 53'413, 1000);
    answered.other_class = 4;
    table_->add(client_first ? asked : answered);
    table_->add(client_first ? answered : asked);
    end();
    ASSERT_EQ(records_.size(), 1u);
    EXPECT_EQ(records_[0].ends.server_port, 53'413);
    EXPECT_EQ(records_[0].class_id, 4);
  }
}

// The other interface may have counted an answer that the worker has not read yet.
TEST(JoinedOutcome, AConnectionIsUnansweredOnceBothInterfacesHaveBeenRead) {
  constexpr FlowRef kRef{1, 3};
  Flow flow;
  flow.key.ip_version = 4;
  flow.key.l4_proto = IPPROTO_TCP;
  flow.start = flow.last = {1000 * kSecond};
  flow.events = by_lo(NIDS_EVENT_SYN);
  Collected context;
  context.flows = {{kRef, &flow}};
  ConnectionOutcome outcome;
  const auto at = [&](std::uint64_t tenths) {
    context.time = {1000 * kSecond + tenths * 100 * kMs};
    outcome.on_tick(context);
  };
  const auto unanswered = [&] {
    HostEvent all;
    for (const HostEvent& event : context.events) all.add(event);
    return all.unanswered;
  };
  context.read = WallTime{1000 * kSecond};
  at(0);
  outcome.on_flow(kRef, flow, FlowChange::kStart, context);
  for (std::uint64_t tenths = 1; tenths <= 30; ++tenths) at(tenths);
  EXPECT_EQ(unanswered(), 0u);
  context.read = WallTime{1001 * kSecond};
  at(32);
  EXPECT_EQ(unanswered(), 1u);
}

}  // namespace
}  // namespace nids
