// SPDX-License-Identifier: Apache-2.0
// How much of a flow is kept, as arithmetic on what came up of it.
#include "retain/policy.hpp"

#include <gtest/gtest.h>

namespace nids {
namespace {

using Kind = KeptAmount::Kind;

constexpr auto kOfClass = AlertKind::kFlaggedProtocol, kFinding = AlertKind::kStatelessFinding;
constexpr std::uint64_t kFlowDepth = 10'000;

enum Class : std::uint8_t { kUnclassified, kInspected, kCaptured, kHeaders, kIdentified, kCounted };

class CapturePolicyTest : public testing::Test {
 protected:
  static nids_class wanted(nids_interest interest, std::uint32_t depth = 500) {
    nids_class one{};
    one.interest = static_cast<std::uint8_t>(interest);
    one.depth_bytes = depth;
    return one;
  }
  static Flow flow_of(Class cls, bool is_flagged = false) {
    Flow flow;
    flow.class_id = cls;
    flow.flagged = is_flagged ? 1 : 0;
    return flow;
  }
  static Packet packet(nids_reason reason, std::uint32_t bytes = 100, bool from_opener = true) {
    Packet one;
    one.reason = reason;
    one.wire_len = bytes;
    one.from_opener = from_opener;
    one.sender = from_opener ? NIDS_FROM_LO : NIDS_FROM_HI;
    return one;
  }
  Fate fate(Flow& flow, nids_reason reason, std::uint32_t bytes = 100, bool from_opener = true) {
    return policy_.judge(packet(reason, bytes, from_opener), flow, false).fate;
  }

  CapturePolicy policy_{{.by_severity = {KeptAmount{},
                                         {Kind::kWhole, ~0ull},
                                         {Kind::kWhole, 1000},
                                         {Kind::kHeaders, ~0ull}},
                         .flow_depth_bytes = kFlowDepth,
                         .classes = {wanted(NIDS_INTEREST_INSPECT), wanted(NIDS_INTEREST_INSPECT),
                                     wanted(NIDS_INTEREST_CAPTURE), wanted(NIDS_INTEREST_HEADERS),
                                     wanted(NIDS_INTEREST_IDENTIFY), wanted(NIDS_INTEREST_COUNT)}}};
};

TEST_F(CapturePolicyTest, AmountsAreOrderedByHowMuchTheyKeep) {
  EXPECT_LT(KeptAmount{}, (KeptAmount{Kind::kHeaders, 1}));
  EXPECT_LT((KeptAmount{Kind::kHeaders, ~0ull}), (KeptAmount{Kind::kWhole, 1}));
  EXPECT_LT((KeptAmount{Kind::kWhole, 1}), (KeptAmount{Kind::kWhole, 2}));
}

TEST_F(CapturePolicyTest, WithoutAnAlertWhatIsLookedAtIsHeldUpToItsDepth) {
  Flow flow = flow_of(kUnclassified);
  EXPECT_EQ(fate(flow, NIDS_REASON_IDENTIFY, 499), Fate::kHold);
  EXPECT_EQ(fate(flow, NIDS_REASON_INSPECT, 1), Fate::kHold);
  EXPECT_EQ(fate(flow, NIDS_REASON_INSPECT), Fate::kLeave) << "500 bytes came up before";
  EXPECT_EQ(fate(flow, NIDS_REASON_INSPECT, 100, false), Fate::kHold) << "the other direction";
  EXPECT_EQ(flow.came_up_bytes(NIDS_FROM_LO), 600u);
  EXPECT_EQ(flow.came_up_bytes(NIDS_FROM_HI), 100u);
}

TEST_F(CapturePolicyTest, WithoutAnAlertWhatComesWithoutEndIsKeptUpToTheDepthOfAnyFlow) {
  for (const Class cls : {kCaptured, kHeaders, kUnclassified}) {
    Flow flow = flow_of(cls);
    for (const nids_reason reason : {NIDS_REASON_CAPTURE, NIDS_REASON_HEADERS})
      EXPECT_EQ(fate(flow, reason, 4999), Fate::kKeep);
    EXPECT_EQ(fate(flow, NIDS_REASON_CAPTURE, 2), Fate::kKeep) << "it begins at 9,998";
    EXPECT_EQ(fate(flow, NIDS_REASON_CAPTURE), Fate::kLeave);
  }
}

TEST_F(CapturePolicyTest, AnAlertOfItsClassKeepsTheClassesDepth) {
  Flow flow = flow_of(kInspected, true);
  EXPECT_FALSE(policy_.raise(flow, kOfClass, 1));
  EXPECT_EQ(flow.severity, 1);
  EXPECT_EQ(policy_.amount_of(flow), (KeptAmount{Kind::kWhole, 500}));
  EXPECT_EQ(fate(flow, NIDS_REASON_INSPECT, 500), Fate::kKeep);
  EXPECT_EQ(fate(flow, NIDS_REASON_INSPECT), Fate::kLeave);
  EXPECT_EQ(fate(flow, NIDS_REASON_FINDING), Fate::kKeep) << "a sample is always kept";
  EXPECT_EQ(policy_.judge(packet(NIDS_REASON_INSPECT), flow, true).fate, Fate::kKeep)
      << "an alert names it";
}

TEST_F(CapturePolicyTest, AnyOtherAlertRaisesItsFlowToWhatItsSeveritySaysIfThatIsMore) {
  Flow flow = flow_of(kInspected, true);
  EXPECT_FALSE(policy_.raise(flow, kFinding, 3)) << "headers are less than 500 bytes";
  EXPECT_TRUE(policy_.raise(flow, kFinding, 2));
  EXPECT_EQ(policy_.amount_of(flow), (KeptAmount{Kind::kWhole, 1000}));
  EXPECT_EQ(policy_.word_on(flow), NIDS_INTEREST_CAPTURE);
  EXPECT_FALSE(policy_.raise(flow, kFinding, 2)) << "as before";
  EXPECT_FALSE(policy_.raise(flow, kFinding, 3)) << "it never becomes less";
  EXPECT_EQ(flow.severity, 2);
  EXPECT_TRUE(policy_.raise(flow, kFinding, 1));
  EXPECT_EQ(policy_.amount_of(flow), (KeptAmount{Kind::kWhole, kFlowDepth}));
  EXPECT_EQ(flow.severity, 1);
}

TEST_F(CapturePolicyTest, AFlowThatIsOnlyCountedIsRaisedToo) {
  Flow flow = flow_of(kCounted);
  EXPECT_TRUE(policy_.raise(flow, kFinding, 3));
  EXPECT_EQ(policy_.word_on(flow), NIDS_INTEREST_HEADERS);
  EXPECT_EQ(fate(flow, NIDS_REASON_FINDING), Fate::kKeep);
  EXPECT_EQ(fate(flow, NIDS_REASON_HEADERS, 9900), Fate::kKeep);
  EXPECT_EQ(fate(flow, NIDS_REASON_HEADERS), Fate::kLeave);
}

TEST_F(CapturePolicyTest, WhatWasToBeIdentifiedIsCapturedOnceItIsFlagged) {
  Flow flow = flow_of(kIdentified);
  EXPECT_EQ(policy_.amount_of(flow).kind, Kind::kNothing);
  flow.flagged = 1;
  EXPECT_TRUE(policy_.raise(flow, kOfClass, 3));
  EXPECT_EQ(policy_.word_on(flow), NIDS_INTEREST_CAPTURE);
  EXPECT_EQ(policy_.amount_of(flow), (KeptAmount{Kind::kWhole, kFlowDepth}));
}

TEST_F(CapturePolicyTest, AClassThatWantsMoreThanAnAlertDidHasItsWay) {
  Flow flow = flow_of(kInspected);
  EXPECT_TRUE(policy_.raise(flow, kFinding, 3));
  flow.flagged = 1;
  EXPECT_TRUE(policy_.raise(flow, kOfClass, 3));
  EXPECT_EQ(policy_.word_on(flow), NIDS_COMMAND_NONE);
  EXPECT_EQ(policy_.amount_of(flow), (KeptAmount{Kind::kWhole, 500}));
}

TEST_F(CapturePolicyTest, ADirectionAtItsDepthIsStoppedAndTheOtherGoesOn) {
  Flow flow = flow_of(kUnclassified);
  policy_.raise(flow, kFinding, 2);
  EXPECT_FALSE(policy_.judge(packet(NIDS_REASON_CAPTURE, 999), flow, false).is_to_be_told);
  const auto last = policy_.judge(packet(NIDS_REASON_CAPTURE, 999), flow, false);
  EXPECT_EQ(last.fate, Fate::kKeep) << "it begins below the depth";
  EXPECT_TRUE(last.is_to_be_told);
  EXPECT_EQ(policy_.word_on(flow), NIDS_INTEREST_CAPTURE | NIDS_COMMAND_STOP_LO);
  EXPECT_EQ(fate(flow, NIDS_REASON_CAPTURE, 100, false), Fate::kKeep);

  const auto late = policy_.judge(packet(NIDS_REASON_CAPTURE), flow, false);
  EXPECT_EQ(late.fate, Fate::kLeave);
  EXPECT_FALSE(late.is_to_be_told) << "it was on its way";
  int told = 0;
  for (int i = 0; i < 1000; ++i)
    told += policy_.judge(packet(NIDS_REASON_CAPTURE, 640), flow, false).is_to_be_told;
  EXPECT_EQ(told, 640'000 / 16'384) << "told again for each 16 KiB that come all the same";

  policy_.raise(flow, kFinding, 1);
  EXPECT_NE(flow.kept_as, 2);
  EXPECT_EQ(policy_.amount_of(flow).depth_bytes, kFlowDepth);
}

TEST_F(CapturePolicyTest, ACpuThatHasNotBeenToldOfARaisedFlowIsToldOnceSoMuchHasComeUp) {
  Flow flow = flow_of(kInspected, true);
  policy_.raise(flow, kOfClass, 3);
  EXPECT_FALSE(policy_.judge(packet(NIDS_REASON_INSPECT, 16'384), flow, false).is_to_be_told)
      << "it is as its class says";
  policy_.raise(flow, kFinding, 1);
  EXPECT_FALSE(policy_.judge(packet(NIDS_REASON_INSPECT), flow, false).is_to_be_told)
      << "it may be on its way";
  EXPECT_TRUE(policy_.judge(packet(NIDS_REASON_INSPECT, 16'384), flow, false).is_to_be_told);
}

TEST_F(CapturePolicyTest, AFlowOfAClassThatThereIsNotIsOneOfNoClass) {
  Flow flow = flow_of(static_cast<Class>(63));
  EXPECT_EQ(fate(flow, NIDS_REASON_INSPECT), Fate::kHold);
  EXPECT_TRUE(policy_.raise(flow, kFinding, 9)) << "a severity that there is not is the lowest";
  EXPECT_EQ(flow.severity, 3);
}

}  // namespace
}  // namespace nids
