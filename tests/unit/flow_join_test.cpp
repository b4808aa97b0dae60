// SPDX-License-Identifier: Apache-2.0
// What the CPUs counted of a flow, joined to one; when it is told, and that nothing is lost.
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "flow/flow_table.hpp"
#include "support/track.hpp"

namespace nids {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

// Both CPUs' view of the connection between 10.0.0.1:22, `lo`, and 10.0.0.2:port, its client.
constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kAck = 0x10;

FlowPart part_of(std::uint16_t port, std::uint8_t l4_proto = 6) {
  FlowPart part;
  part.key.lo_addr[0] = part.key.hi_addr[0] = 10;
  part.key.lo_addr[3] = 1;
  part.key.hi_addr[3] = 2;
  part.key.lo_port = 22;
  part.key.hi_port = port;
  part.key.l4_proto = l4_proto;
  part.key.ip_version = 4;
  part.opener_is_hi = true;
  part.created = part.last = {100 * kSecond};
  return part;
}

FlowPart counted(FlowPart part, nids_sender sender, std::uint64_t packets) {
  part.packets[sender] = packets;
  part.bytes[sender] = packets * 100;
  return part;
}

FlowPart at(FlowPart part, std::uint64_t created_ns, std::uint64_t last_ns) {
  part.created = {created_ns};
  part.last = {last_ns};
  return part;
}

std::uint16_t by_lo(unsigned events) { return static_cast<std::uint16_t>(events); }
std::uint16_t by_hi(unsigned events) {
  return static_cast<std::uint16_t>(events << NIDS_EVENTS_PER_SENDER);
}

// SYN, ACK, data and FIN of the client; the answers.
FlowPart client_half(std::uint16_t port = 40'000) {
  FlowPart part = counted(part_of(port), NIDS_FROM_HI, 4);
  part.tcp_flags[NIDS_FROM_HI] = kSyn | kAck | kFin;
  part.events = by_hi(NIDS_EVENT_SYN | NIDS_EVENT_ACK | NIDS_EVENT_DATA | NIDS_EVENT_FIN);
  part.history = 0x5b43a927;  // S h A D a d F f, the lowest first: of `hi` 7 to 12
  return part;
}

FlowPart server_half(std::uint16_t port = 40'000) {
  FlowPart part = counted(part_of(port), NIDS_FROM_LO, 3);
  part.tcp_flags[NIDS_FROM_LO] = kSyn | kAck | kFin;
  part.events = by_lo(NIDS_EVENT_SYN_ACK | NIDS_EVENT_ACK | NIDS_EVENT_DATA | NIDS_EVENT_FIN);
  return part;
}

struct Told {
  FlowRecord record;
  std::uint16_t hi_port = 0;
};

class JoinedFlows : public testing::Test {
 protected:
  void start(FlowTable::Limits limits = {}) {
    table_ = std::make_unique<FlowTable>(limits, [this](const Flow& flow, FlowReason reason) {
      told_.push_back({table_->record_of(flow, reason), flow.key.hi_port});
    });
    told_.clear();
  }
  void SetUp() override { start(); }

  void end() { table_->end_all(FlowReason::kShutdown); }
  // As if so many scans found nothing new.
  void idle(std::uint64_t now_ns, int scans = 3) {
    for (int i = 0; i < scans; ++i) table_->expire({now_ns});
  }
  std::uint64_t told_packets() const {
    std::uint64_t sum = 0;
    for (const Told& one : told_) sum += one.record.packets[0] + one.record.packets[1];
    return sum;
  }

  std::unique_ptr<FlowTable> table_;
  std::vector<Told> told_;
};

// All flows of a flood end in the same scan. Between two calls the agent reads its rings.
TEST_F(JoinedFlows, FlowsThatAreOverTogetherAreReportedAFewAtATime) {
  for (std::uint16_t port = 1; port <= 10; ++port)
    table_->add(counted(part_of(port), NIDS_FROM_HI, 1));
  idle(101 * kSecond, 2);

  EXPECT_FALSE(table_->expire({900 * kSecond}, 4));
  EXPECT_EQ(told_.size(), 4u);
  EXPECT_FALSE(table_->expire({900 * kSecond}, 4));
  EXPECT_EQ(told_.size(), 8u);
  EXPECT_TRUE(table_->expire({900 * kSecond}, 4));
  EXPECT_EQ(told_.size(), 10u);
  EXPECT_EQ(table_->size(), 0u);
}

// A flood of unanswered flows may use up the time for the last records.
TEST_F(JoinedFlows, AtTheEndAnsweredConnectionsAreReportedFirst) {
  FlowPart unanswered = counted(part_of(1), NIDS_FROM_HI, 1);
  unanswered.tcp_flags[NIDS_FROM_HI] = kSyn;
  unanswered.events = by_hi(NIDS_EVENT_SYN);
  FlowPart client = unanswered, server = counted(part_of(2), NIDS_FROM_LO, 1);
  client.key.hi_port = 2;
  server.tcp_flags[NIDS_FROM_LO] = kSyn | kAck;
  server.events = by_lo(NIDS_EVENT_SYN_ACK);
  table_->add(unanswered);
  table_->add(client);
  table_->add(server);
  end();
  ASSERT_EQ(told_.size(), 2u);
  EXPECT_EQ(told_[0].hi_port, 2);
  EXPECT_EQ(told_[1].hi_port, 1);
}

// A flow is over after two scans without news of it, and each scan may take many calls.
TEST_F(JoinedFlows, ManyCallsOfOneScanAreOneScan) {
  for (std::uint16_t port = 1; port <= 10; ++port)
    table_->add(counted(part_of(port), NIDS_FROM_HI, 1));
  idle(101 * kSecond, 2);
  EXPECT_FALSE(table_->expire({900 * kSecond}, 1));
  table_->add(counted(part_of(11), NIDS_FROM_HI, 1));
  while (!table_->expire({900 * kSecond}, 1)) {
  }
  EXPECT_EQ(told_.size(), 10u);
  EXPECT_EQ(table_->size(), 1u);
}

TEST_F(JoinedFlows, FlowsThatGoOnAreReportedAFewAtATime) {
  const auto report = [this] {
    return table_->tell_long_ones({130 * kSecond}, std::chrono::seconds(10), 4);
  };
  const auto count_packets = [this] {
    for (std::uint16_t port = 1; port <= 10; ++port)
      table_->add(counted(part_of(port), NIDS_FROM_HI, 1));
  };
  count_packets();
  EXPECT_FALSE(report());
  EXPECT_EQ(told_.size(), 4u);
  count_packets();  // no record of the first four before another 10 seconds
  EXPECT_FALSE(report());
  EXPECT_EQ(told_.size(), 8u);
  EXPECT_TRUE(report());
  EXPECT_EQ(told_.size(), 10u);
  EXPECT_TRUE(report());
  EXPECT_EQ(told_.size(), 10u);
}

// A flow that is not due costs time, too.
TEST_F(JoinedFlows, OneCallReadsFewPlacesIfNoFlowIsDue) {
  for (std::uint16_t port = 1; port <= 300; ++port)
    table_->add(counted(part_of(port), NIDS_FROM_HI, 1));
  const auto report = [this] {
    return table_->tell_long_ones({101 * kSecond}, std::chrono::seconds(900), 1);
  };
  int calls = 1;
  while (!report()) ++calls;
  EXPECT_EQ(calls, 5);
  EXPECT_TRUE(told_.empty());
}

TEST_F(JoinedFlows, TwoHalvesOfTwoCpusAreOneFlowInEitherOrder) {
  for (const bool client_first : {true, false}) {
    start();
    table_->add(client_first ? client_half() : server_half());
    table_->add(client_first ? server_half() : client_half());
    end();
    ASSERT_EQ(told_.size(), 1u);
    const FlowRecord& record = told_[0].record;
    EXPECT_EQ(record.ends.client_port, 40'000);
    EXPECT_EQ(record.ends.server_port, 22);
    EXPECT_EQ(record.packets[0], 4u);
    EXPECT_EQ(record.packets[1], 3u);
    EXPECT_EQ(record.bytes[0], 400u);
    EXPECT_EQ(record.bytes[1], 300u);
    EXPECT_EQ(record.tcp_flags[0], kSyn | kAck | kFin);
    EXPECT_EQ(record.history, "ShADadFf");
    EXPECT_STREQ(name_of(record.conn_state), "SF");
    EXPECT_STREQ(name_of(record.state), "closed");
    EXPECT_FALSE(record.is_continued);
  }
}

TEST_F(JoinedFlows, WithoutTheSharedOrderTheEventsOfBothHalvesTellTheSame) {
  FlowPart client = client_half();
  client.history = 0;
  table_->add(server_half());
  table_->add(client);
  end();
  EXPECT_EQ(told_.at(0).record.history, "ShADadFf");
  EXPECT_STREQ(name_of(told_[0].record.conn_state), "SF");
}

TEST_F(JoinedFlows, AClientThatWasNotSeenFirstIsTurnedRound) {
  FlowPart part = counted(part_of(40'000), NIDS_FROM_LO, 2);
  part.tcp_flags[NIDS_FROM_LO] = kSyn | kAck | kRst;
  part.events = by_lo(NIDS_EVENT_SYN_ACK | NIDS_EVENT_RST);
  part.history = 0x62;
  table_->add(part);
  end();
  const FlowRecord& record = told_.at(0).record;
  EXPECT_EQ(record.ends.client_port, 40'000);
  EXPECT_EQ(record.packets[0], 0u);
  EXPECT_EQ(record.packets[1], 2u);
  EXPECT_EQ(record.history, "^hr");
  EXPECT_STREQ(name_of(record.conn_state), "RSTRH");
}

TEST_F(JoinedFlows, AFlowThatMovedToAnotherCpuBeforeItWasReadIsOne) {
  // The first CPU's slot is the one that was written later.
  table_->add(at(counted(part_of(40'000), NIDS_FROM_HI, 5), 100 * kSecond, 130 * kSecond));
  table_->add(at(counted(part_of(40'000), NIDS_FROM_HI, 2), 90 * kSecond, 91 * kSecond));
  EXPECT_EQ(table_->size(), 1u);
  end();
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_[0].record.packets[0], 7u);
  EXPECT_EQ(told_[0].record.start.ns, 90 * kSecond);
  EXPECT_EQ(told_[0].record.end.ns, 130 * kSecond);
}

TEST_F(JoinedFlows, AnEndedFlowIsReplacedAndStillGetsItsLateParts) {
  FlowPart ended = at(client_half(), 100 * kSecond, 101 * kSecond);
  ended.is_ended = true;
  table_->add(ended);
  table_->add(at(client_half(), 110 * kSecond, 111 * kSecond));
  FlowPart late = at(server_half(), 100 * kSecond, 101 * kSecond);
  late.is_ended = true;
  table_->add(late);
  table_->add(at(server_half(), 110 * kSecond, 111 * kSecond));
  end();
  ASSERT_EQ(told_.size(), 2u);
  EXPECT_NE(told_[0].record.id, told_[1].record.id);
  for (const Told& one : told_) {
    EXPECT_EQ(one.record.packets[0], 4u);
    EXPECT_EQ(one.record.packets[1], 3u);
    EXPECT_FALSE(one.record.is_continued);
  }
}

TEST_F(JoinedFlows, ALatePartWhoseFlowIsToldHasARecordOfItsOwn) {
  FlowPart ended = at(client_half(), 100 * kSecond, 101 * kSecond);
  ended.is_ended = true;
  table_->add(ended);
  table_->add(at(client_half(), 110 * kSecond, 111 * kSecond));
  idle(112 * kSecond);
  ASSERT_EQ(told_.size(), 1u) << "the older one";
  table_->add(at(server_half(), 100 * kSecond, 101 * kSecond));
  EXPECT_EQ(table_->size(), 2u);
  end();
  ASSERT_EQ(told_.size(), 3u);
  EXPECT_EQ(told_packets(), 4u + 4 + 3);
  EXPECT_TRUE(std::ranges::any_of(told_, [](const Told& one) {
    return one.record.is_continued && one.record.packets[1] == 3;
  }));
}

TEST_F(JoinedFlows, APartThatCountsNothingBeginsNoFlowAndEndsTheOneThatThereIs) {
  FlowPart empty = part_of(40'000);
  empty.is_ended = true;
  table_->add(empty);
  EXPECT_EQ(table_->size(), 0u) << "it was told before";

  table_->add(at(client_half(), 200 * kSecond, 201 * kSecond));
  table_->add(empty);
  EXPECT_EQ(table_->size(), 1u) << "of one before it";
  table_->add(at(client_half(), 200 * kSecond, 202 * kSecond));
  EXPECT_EQ(table_->size(), 1u) << "which has not ended the flow of now";

  empty = at(empty, 200 * kSecond, 202 * kSecond);
  table_->add(empty);
  table_->add(at(client_half(), 203 * kSecond, 203 * kSecond));
  EXPECT_EQ(table_->size(), 2u);
}

TEST_F(JoinedFlows, EachPhaseHasItsTime) {
  const FlowTable::Limits limits;
  FlowPart answered = client_half();
  answered.tcp_flags[NIDS_FROM_HI] = kSyn | kAck;
  answered.events |= by_lo(NIDS_EVENT_SYN_ACK);
  FlowPart closed = client_half();
  closed.tcp_flags[NIDS_FROM_LO] = kRst;
  const std::pair<FlowPart, FlowPhase> all[] = {
      {client_half(), FlowPhase::kTcpNew},
      {answered, FlowPhase::kTcpEstablished},
      {closed, FlowPhase::kTcpClosed},
      {counted(part_of(1, 17), NIDS_FROM_HI, 1), FlowPhase::kUdp},
      {counted(part_of(1, 1), NIDS_FROM_HI, 1), FlowPhase::kIcmp},
      {counted(part_of(1, 47), NIDS_FROM_HI, 1), FlowPhase::kOther},
  };
  for (const auto& [part, phase] : all) {
    SCOPED_TRACE(static_cast<int>(phase));
    start();
    table_->add(part);
    table_->each(
        [&, wanted = phase](std::uint32_t, const Flow& flow) { EXPECT_EQ(flow.phase, wanted); });
    const std::uint64_t over_ns =
        part.last.ns +
        static_cast<std::uint64_t>(
            std::chrono::nanoseconds(limits.timeout[static_cast<std::size_t>(phase)]).count());
    idle(over_ns - 1);
    EXPECT_TRUE(told_.empty());
    idle(over_ns);
    ASSERT_EQ(told_.size(), 1u);
    EXPECT_EQ(told_[0].record.reason, FlowReason::kTimeout);
    EXPECT_EQ(table_->size(), 0u);
  }
}

TEST_F(JoinedFlows, ASilentFlowIsOverOnlyWhenBothHalvesHaveHadTheTimeToBeRead) {
  table_->expire({99 * kSecond});
  table_->add(client_half());
  table_->expire({1'000 * kSecond});
  EXPECT_TRUE(told_.empty());
  table_->add(server_half());
  table_->expire({1'000 * kSecond});
  EXPECT_TRUE(told_.empty());
  table_->expire({1'000 * kSecond});
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_[0].record.packets[1], 3u);
}

TEST_F(JoinedFlows, AtTheCapWhatTellsLeastGoesFirst) {
  start({.max_flows = 8});
  FlowPart ended = client_half(1);
  ended.is_ended = true;
  table_->add(ended);
  const auto established = [](std::uint16_t port) {
    FlowPart part = client_half(port);
    part.tcp_flags[NIDS_FROM_HI] = kSyn | kAck;
    part.events |= by_lo(NIDS_EVENT_SYN_ACK);
    return part;
  };
  table_->add(at(established(1), 110 * kSecond, 110 * kSecond));  // and 1 is replaced
  table_->add(counted(part_of(6, 17), NIDS_FROM_HI, 1));
  table_->add(counted(part_of(5, 1), NIDS_FROM_HI, 1));
  table_->add(counted(part_of(4, 47), NIDS_FROM_HI, 1));
  table_->add(client_half(3));
  FlowPart closed = client_half(2);
  closed.tcp_flags[NIDS_FROM_LO] = kFin;
  table_->add(closed);
  table_->add(established(8));
  EXPECT_EQ(table_->size(), 8u);
  EXPECT_TRUE(told_.empty());

  table_->add(at(established(1), 110 * kSecond, 120 * kSecond));  // so that 8 is silent longest
  for (std::uint16_t port = 100; port < 107; ++port) table_->add(established(port));
  std::vector<std::uint16_t> gone;
  for (const Told& one : told_) {
    gone.push_back(one.hi_port);
    EXPECT_EQ(one.record.reason, FlowReason::kForced);
  }
  EXPECT_EQ(gone, (std::vector<std::uint16_t>{1, 2, 3, 4, 5, 6, 8}));
  EXPECT_EQ(table_->evictions(), 7u);
  EXPECT_EQ(table_->size(), 8u);
}

TEST_F(JoinedFlows, ATableOfOneHoldsOneAndLosesNothing) {
  start({.max_flows = 1});
  for (std::uint16_t i = 0; i < 100; ++i) {
    FlowPart part = client_half(static_cast<std::uint16_t>(1 + i % 3));
    part.is_ended = i % 2 == 0;
    table_->add(at(part, (100 + i) * kSecond, (100 + i) * kSecond));
    EXPECT_EQ(table_->size(), 1u);
  }
  end();
  EXPECT_EQ(told_packets(), 400u);
}

TEST_F(JoinedFlows, TheEndTellsAllAndForgetsAll) {
  for (std::uint16_t port = 1; port <= 100; ++port) table_->add(client_half(port));
  end();
  EXPECT_EQ(told_.size(), 100u);
  for (const Told& one : told_) EXPECT_EQ(one.record.reason, FlowReason::kShutdown);
  EXPECT_EQ(table_->size(), 0u);
  end();
  EXPECT_EQ(told_.size(), 100u);
}

TEST_F(JoinedFlows, LongOnesAreToldByWhatTheyGrew) {
  constexpr auto kMinute = std::chrono::seconds(60);
  const auto grow = [&](nids_sender sender, std::uint64_t packets, std::uint64_t now_s) {
    FlowPart part = counted(part_of(40'000, 17), sender, packets);
    part.events = static_cast<std::uint16_t>(NIDS_EVENT_DATA << sender * NIDS_EVENTS_PER_SENDER);
    table_->add(at(part, 100 * kSecond, now_s * kSecond));
  };
  grow(NIDS_FROM_HI, 10, 100);
  grow(NIDS_FROM_LO, 20, 101);
  table_->tell_long_ones({159 * kSecond}, kMinute);
  EXPECT_TRUE(told_.empty());
  table_->tell_long_ones({160 * kSecond}, kMinute);
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_[0].record.reason, FlowReason::kInterim);
  EXPECT_EQ(told_[0].record.packets[0], 10u);
  EXPECT_EQ(told_[0].record.bytes[1], 2'000u);
  EXPECT_FALSE(told_[0].record.is_continued);

  table_->tell_long_ones({220 * kSecond}, kMinute);
  EXPECT_EQ(told_.size(), 1u) << "nothing new";
  grow(NIDS_FROM_HI, 5, 221);
  table_->tell_long_ones({279 * kSecond}, kMinute);
  EXPECT_EQ(told_.size(), 1u);
  table_->tell_long_ones({280 * kSecond}, kMinute);
  ASSERT_EQ(told_.size(), 2u);
  EXPECT_EQ(told_[1].record.packets[0], 5u);
  EXPECT_EQ(told_[1].record.packets[1], 0u);
  EXPECT_TRUE(told_[1].record.is_continued);
  EXPECT_STREQ(name_of(told_[1].record.conn_state), "SF") << "it was answered before";
  EXPECT_STREQ(name_of(told_[1].record.state), "established");

  grow(NIDS_FROM_LO, 1, 281);
  end();
  ASSERT_EQ(told_.size(), 3u);
  EXPECT_EQ(told_packets(), 36u);
  for (const Told& one : told_) EXPECT_EQ(one.record.id, told_[0].record.id);
}

TEST_F(JoinedFlows, IdsAreTheSameInEveryRunAndDifferBetweenFlows) {
  std::set<std::uint64_t> first, second;
  for (auto* ids : {&first, &second}) {
    start();
    for (std::uint16_t port = 1; port <= 1'000; ++port) {
      table_->add(at(client_half(port), port * kSecond, port * kSecond));
      table_->add(at(server_half(port), port * kSecond + 1, port * kSecond + 5));
    }
    end();
    for (const Told& one : told_) {
      EXPECT_LT(one.record.id, 1ull << 53);
      ids->insert(one.record.id);
    }
  }
  EXPECT_EQ(first.size(), 1'000u);
  EXPECT_EQ(first, second);
}

TEST_F(JoinedFlows, APacketAndThePartsOfItsFlowHaveOneId) {
  const FlowPart half = client_half();
  Packet packet;
  packet.time = {100 * kSecond};
  packet.headers.src_port = half.key.hi_port;
  packet.headers.dst_port = half.key.lo_port;
  std::ranges::copy(half.key.hi_addr, packet.headers.src);
  std::ranges::copy(half.key.lo_addr, packet.headers.dst);
  packet.headers.ip_version = 4;
  packet.headers.l4_proto = IPPROTO_TCP;
  const std::uint64_t id = track(*table_, packet).id;
  table_->add(server_half());
  table_->add(client_half());
  EXPECT_EQ(track(*table_, packet).id, id);
  end();
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_[0].record.id, id);
  EXPECT_EQ(told_[0].record.ends.client_port, 40'000);
}

TEST_F(JoinedFlows, AnEchoIsOneFlowWhoeverIsReadFirst) {
  for (const bool is_ipv6 : {false, true}) {
    const std::uint8_t request = is_ipv6 ? 128 : 8, reply = is_ipv6 ? 129 : 0;
    std::set<std::string> ids;
    for (const int what : {0, 1, 2}) {  // both halves in either order; the request alone
      start();
      FlowPart part = part_of(7, is_ipv6 ? 58 : 1);
      part.key.lo_port = part.key.hi_port = 7;
      part.key.ip_version = is_ipv6 ? 6 : 4;
      FlowPart asked = counted(part, NIDS_FROM_HI, 2), answered = counted(part, NIDS_FROM_LO, 1);
      asked.tcp_flags[NIDS_FROM_HI] = request;
      answered.tcp_flags[NIDS_FROM_LO] = reply;
      if (what == 1) table_->add(answered);
      table_->add(asked);
      if (what == 0) table_->add(answered);
      end();
      const FlowRecord& record = told_.at(0).record;
      ASSERT_TRUE(record.icmp);
      EXPECT_EQ(record.icmp->type, request);
      EXPECT_EQ(record.icmp->response_type.has_value(), what != 2);
      if (what != 2) {
        EXPECT_EQ(*record.icmp->response_type, reply);
        EXPECT_EQ(record.packets[1], 1u);
      }
      EXPECT_EQ(record.packets[0], 2u);
      EXPECT_EQ(record.tcp_flags[0], 0);
      ids.insert(record.community_id);
    }
    EXPECT_EQ(ids.size(), 1u);
  }
}

TEST_F(JoinedFlows, AClockThatIsSetBackHalfAMinuteSplitsNoFlow) {
  table_->add(at(client_half(), 10'000 * kSecond, 10'010 * kSecond));
  idle(10'010 * kSecond, 1);
  // What is read now was, by the new clock, before the flow began.
  table_->add(at(server_half(), 9'970 * kSecond, 9'981 * kSecond));
  table_->expire({9'981 * kSecond});
  EXPECT_EQ(table_->size(), 1u);
  idle(9'986 * kSecond - 1);
  EXPECT_TRUE(told_.empty());
  idle(9'986 * kSecond);
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_[0].record.start.ns, 9'970 * kSecond);
  EXPECT_EQ(told_[0].record.end.ns, 9'981 * kSecond);
}

TEST_F(JoinedFlows, AClockThatIsSetBackAnHourLosesNothingAndKeepsNoFlowForAnHour) {
  for (std::uint16_t port = 1; port <= 10; ++port)
    table_->add(at(client_half(port), 10'000 * kSecond, 10'010 * kSecond));
  idle(10'010 * kSecond, 1);
  for (std::uint16_t port = 1; port <= 10; ++port)
    table_->add(at(server_half(port), 6'400 * kSecond, 6'410 * kSecond));
  table_->expire({6'410 * kSecond});
  idle(6'471 * kSecond);
  EXPECT_EQ(table_->size(), 0u);
  EXPECT_EQ(told_packets(), 70u);
  for (const Told& one : told_) EXPECT_LE(one.record.start, one.record.end);
}

TEST_F(JoinedFlows, AClockThatIsSetForwardLosesNothing) {
  table_->add(at(client_half(), 100 * kSecond, 110 * kSecond));
  idle(110 * kSecond);
  idle(4'000 * kSecond);
  table_->add(at(server_half(), 3'990 * kSecond, 4'000 * kSecond));
  end();
  EXPECT_EQ(told_packets(), 7u);
}

// Whatever comes in whatever order: what goes in comes out, to the packet and the byte.
class Conservation : public testing::TestWithParam<unsigned> {};

TEST_P(Conservation, EveryPacketOfEveryPartIsInOneRecord) {
  std::mt19937 random(GetParam());
  const auto up_to = [&](std::uint64_t most) {
    return std::uniform_int_distribution<std::uint64_t>(0, most)(random);
  };
  using Sums = std::map<std::uint16_t, std::array<std::uint64_t, 4>>;  // by `hi` port
  Sums in, out;
  const auto add = [](Sums& sums, std::uint16_t hi_port, const auto& counts) {
    auto& sum = sums[hi_port];
    for (int i = 0; i < 2; ++i) {
      sum[static_cast<std::size_t>(i)] += counts.packets[i];
      sum[static_cast<std::size_t>(2 + i)] += counts.bytes[i];
    }
  };
  const std::size_t max_flows = 1 + up_to(GetParam() % 2 == 0 ? 5 : 60);
  FlowTable table({.max_flows = max_flows}, [&](const Flow& flow, FlowReason) {
    EXPECT_TRUE(flow.has_counts() || flow.told().ns != 0);
    add(out, flow.key.hi_port, flow.counts());
  });
  std::uint64_t now_ns = 100'000 * kSecond;
  constexpr std::array<std::uint8_t, 4> kProtocols{IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, 47};
  for (int step = 0; step < 5'000; ++step) {
    now_ns += up_to(1'000'000'000);
    if (up_to(300) == 0) now_ns += 100 * kSecond;
    if (up_to(500) == 0) now_ns -= 5'000 * kSecond;  // the wall clock
    const std::uint64_t created_ns = now_ns - up_to(20) * kSecond;
    const auto port = static_cast<std::uint16_t>(1 + up_to(30));
    FlowPart part = part_of(port, kProtocols[up_to(3)]);
    part.created = {created_ns};
    part.last = {created_ns + up_to(now_ns - created_ns)};
    for (int i = 0; i < 2; ++i) {
      part.packets[i] = up_to(3) == 0 ? 0 : up_to(1ull << 33);
      part.bytes[i] = part.packets[i] * 60;
      part.tcp_flags[i] = static_cast<std::uint8_t>(up_to(255));
    }
    part.events = static_cast<std::uint16_t>(up_to(0xfff));
    part.history = up_to(~0ull >> 16);
    part.is_ended = up_to(3) == 0;
    part.is_continued = up_to(5) == 0;
    part.opener_is_hi = up_to(1) == 0;
    table.add(part);
    add(in, part.key.hi_port, part);
    EXPECT_LE(table.size(), max_flows);
    if (up_to(20) == 0) {
      Packet packet;
      packet.time = {now_ns};
      packet.headers.src_port = port;
      packet.headers.dst_port = 22;
      packet.headers.ip_version = 4;
      packet.headers.l4_proto = IPPROTO_TCP;
      packet.headers.tcp_flags = static_cast<std::uint8_t>(up_to(31));
      track(table, packet);
    }
    if (up_to(3) == 0) {
      table.tell_long_ones({now_ns}, std::chrono::seconds(1 + up_to(30)));
      table.expire({now_ns});
    }
    if (up_to(1'000) == 0) table.end_all(FlowReason::kShutdown);
  }
  table.end_all(FlowReason::kShutdown);
  EXPECT_EQ(table.size(), 0u);
  std::erase_if(in, [](const auto& one) { return one.second == std::array<std::uint64_t, 4>{}; });
  EXPECT_EQ(in, out);
}

INSTANTIATE_TEST_SUITE_P(FlowTable, Conservation, testing::Range(0u, 20u));

}  // namespace
}  // namespace nids
