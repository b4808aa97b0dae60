// SPDX-License-Identifier: Apache-2.0
#include "analyse/flow/connection_outcome.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include "support/collected.hpp"

namespace nids {
namespace {

constexpr std::uint64_t kStart = 1'000'000'000'000, kTenth = 100'000'000;
constexpr FlowRef kRef{1, 3};

class ConnectionOutcomeTest : public ::testing::Test {
 protected:
  ConnectionOutcomeTest() {
    flow_.key.ip_version = 4;
    flow_.key.l4_proto = IPPROTO_TCP;
    flow_.key.lo_port = 40'000;
    flow_.key.hi_port = 80;
    flow_.start = flow_.last = {kStart};
    context_.time = {kStart};
    context_.flows = {{kRef, &flow_}};
    at(0);
  }
  void client(unsigned events) { flow_.events = static_cast<std::uint16_t>(flow_.events | events); }
  void server(unsigned events) { client(events << NIDS_EVENTS_PER_SENDER); }
  void tell(FlowChange change) { outcome_.on_flow(kRef, flow_, change, context_); }
  // Tenths of a second after the start.
  void at(std::uint64_t tenths) {
    context_.time = {kStart + tenths * kTenth};
    outcome_.on_tick(context_);
  }
  HostEvent sum() const {
    HostEvent all;
    for (const HostEvent& event : context_.events) all.add(event);
    return all;
  }

  Flow flow_;
  Collected context_;
  ConnectionOutcome outcome_;
};

TEST_F(ConnectionOutcomeTest, AnsweredAtOnce) {
  client(NIDS_EVENT_SYN);
  server(NIDS_EVENT_SYN_ACK);
  tell(FlowChange::kStart);
  at(20);
  tell(FlowChange::kEnd);
  EXPECT_EQ(sum().started, 1u);
  EXPECT_EQ(sum().answered, 1u);
  EXPECT_EQ(sum().unanswered, 0u);
  EXPECT_TRUE(sum().failed_ports.empty());
}

TEST_F(ConnectionOutcomeTest, Refused) {
  client(NIDS_EVENT_SYN);
  tell(FlowChange::kStart);
  server(NIDS_EVENT_RST);
  tell(FlowChange::kUpdate);
  at(20);
  tell(FlowChange::kEnd);
  EXPECT_EQ(sum().started, 1u);
  EXPECT_EQ(sum().refused, 1u);
  EXPECT_EQ(sum().unanswered, 0u);
  EXPECT_EQ(sum().failed_ports.lowest(), 80);
}

TEST_F(ConnectionOutcomeTest, ASynAckOfTheClientMakesNobodyElseTheClient) {
  flow_.opener_is_hi = true;  // as the first pass corrects it then
  client(NIDS_EVENT_SYN | NIDS_EVENT_SYN_ACK);
  server(NIDS_EVENT_RST | NIDS_EVENT_DATA);
  tell(FlowChange::kStart);
  EXPECT_EQ(sum().refused, 1u);
  EXPECT_EQ(sum().failed_ports.lowest(), 80);
}

TEST_F(ConnectionOutcomeTest, TheAnswerMayBeInASlotThatIsReadLater) {
  client(NIDS_EVENT_SYN);
  flow_.history = 1 | (NIDS_EVENTS_PER_SENDER + 2) << NIDS_HISTORY_EVENT_BITS;  // SYN, SYN-ACK back
  tell(FlowChange::kStart);
  EXPECT_EQ(sum().answered, 1u);
}

TEST_F(ConnectionOutcomeTest, WhatHappenedLongAgoIsNotJudged) {
  client(NIDS_EVENT_SYN);
  server(NIDS_EVENT_RST);
  context_.time = {kStart + 3'000 * kTenth};
  tell(FlowChange::kStart);
  tell(FlowChange::kEnd);
  EXPECT_TRUE(context_.events.empty());
}

TEST_F(ConnectionOutcomeTest, UnansweredAfterASecondAndNotBefore) {
  client(NIDS_EVENT_SYN);
  tell(FlowChange::kStart);
  at(9);
  EXPECT_EQ(sum().unanswered, 0u);
  at(12);
  EXPECT_EQ(sum().unanswered, 1u);
  tell(FlowChange::kEnd);
  EXPECT_EQ(sum().unanswered, 1u) << "told once";
}

TEST_F(ConnectionOutcomeTest, ALateAnswerTakesTheJudgementBack) {
  client(NIDS_EVENT_SYN);
  tell(FlowChange::kStart);
  at(12);
  server(NIDS_EVENT_SYN_ACK);
  tell(FlowChange::kUpdate);
  EXPECT_EQ(sum().late_ports.size(), 1u);
  EXPECT_EQ(sum().answered, 1u);
}

TEST_F(ConnectionOutcomeTest, SeenLateItIsJudgedAtTheNextTick) {
  at(30);
  client(NIDS_EVENT_SYN);
  tell(FlowChange::kStart);
  at(31);
  EXPECT_EQ(sum().unanswered, 1u);
}

TEST_F(ConnectionOutcomeTest, ItsEndJudgesAConnectionThatIsStillOpen) {
  client(NIDS_EVENT_SYN);
  tell(FlowChange::kStart);
  tell(FlowChange::kEnd);
  EXPECT_EQ(sum().unanswered, 1u);
  context_.flows.clear();
  at(20);
  EXPECT_EQ(sum().unanswered, 1u);
}

TEST_F(ConnectionOutcomeTest, WhatBeganBeforeUsIsNoConnectionOfAnybody) {
  client(NIDS_EVENT_ACK);
  tell(FlowChange::kStart);
  tell(FlowChange::kEnd);
  EXPECT_TRUE(context_.events.empty());
}

TEST_F(ConnectionOutcomeTest, UdpIsAnsweredByADatagram) {
  flow_.key.l4_proto = IPPROTO_UDP;
  client(NIDS_EVENT_DATA);
  tell(FlowChange::kStart);
  server(NIDS_EVENT_DATA);
  tell(FlowChange::kUpdate);
  EXPECT_EQ(sum().answered, 1u);
}

TEST_F(ConnectionOutcomeTest, AStepOfTheClockJudgesWhatWaits) {
  client(NIDS_EVENT_SYN);
  tell(FlowChange::kStart);
  at(36'000);
  EXPECT_EQ(sum().unanswered, 1u);
}

TEST_F(ConnectionOutcomeTest, AClockThatGoesBackALittleJudgesNothing) {
  at(5);
  client(NIDS_EVENT_SYN);
  tell(FlowChange::kStart);
  at(3);
  at(6);
  EXPECT_EQ(sum().unanswered, 0u);
}

TEST_F(ConnectionOutcomeTest, APlaceThatIsUsedAgainBeginsAnew) {
  client(NIDS_EVENT_SYN);
  tell(FlowChange::kStart);
  const FlowRef again{kRef.index, kRef.generation + 1};
  outcome_.on_flow(again, flow_, FlowChange::kStart, context_);
  EXPECT_EQ(sum().started, 2u);
}

}  // namespace
}  // namespace nids
