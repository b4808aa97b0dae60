// SPDX-License-Identifier: Apache-2.0
#include "retain/contents.hpp"

#include <gtest/gtest.h>

namespace nids {
namespace {

const SegmentName kSegment{"20261122T100000", 1, 2};

KeptFlow flow(std::uint64_t id) {
  return {.id = id, .community_id = "1:flow" + std::to_string(id), .ends = {}, .class_name = "ssh"};
}

IndexedAlert alert_at(std::uint64_t offset) {
  return {.alert = {.id = offset, .signature = "SSH connection", .flow = {}, .record = "{}"},
          .place = PacketPlace{kSegment, offset, 1}};
}

// Two flows, whose times step back, and a packet of none.
Contents sample() {
  Contents contents;
  EXPECT_TRUE(contents.add({100, {5'000}, 60}, 7, [] { return flow(7); }));
  EXPECT_TRUE(contents.add({200, {6'000}, 70}, 8, [] { return flow(8); }));
  EXPECT_FALSE(contents.add({300, {4'000}, 80}, 7, [] { return KeptFlow{}; }));
  contents.add(alert_at(300));
  EXPECT_TRUE(contents.add({400, {7'000}, 90}, 0, {}));
  EXPECT_FALSE(contents.add({500, {8'000}, 10}, 8, [] { return KeptFlow{}; }));
  contents.add(alert_at(500));
  return contents;
}

TEST(Contents, IsSortedByFlowForTheIndex) {
  Contents contents = sample();
  EXPECT_EQ(contents.packets(), 5u);
  EXPECT_EQ(contents.alerts(), 2u);
  const SegmentPiece piece = std::move(contents).piece(kSegment, 600);
  EXPECT_EQ(piece.segment, kSegment);
  EXPECT_EQ(piece.end, 600u);
  EXPECT_EQ(piece.spans, (std::vector<FlowSpan>{
                             {kSegment, flow(7), {4'000}, {5'000}, 140, {100, 300}},
                             {kSegment, flow(8), {6'000}, {8'000}, 80, {200, 500}},
                             {kSegment, KeptFlow{}, {7'000}, {7'000}, 90, {400}},
                         }));
  EXPECT_EQ(piece.alerts, (std::vector{alert_at(300), alert_at(500)}));
}

TEST(Contents, OfWhatIsNotInTheFileOnlyAlertsAreLeftWithoutAPlace) {
  const SegmentPiece piece = sample().piece(kSegment, 400);
  EXPECT_EQ(piece.end, 400u);
  EXPECT_EQ(piece.spans, (std::vector<FlowSpan>{
                             {kSegment, flow(7), {4'000}, {5'000}, 140, {100, 300}},
                             {kSegment, flow(8), {6'000}, {6'000}, 70, {200}},
                         }));
  ASSERT_EQ(piece.alerts.size(), 2u);
  EXPECT_EQ(piece.alerts[0], alert_at(300));
  EXPECT_EQ(piece.alerts[1].alert, alert_at(500).alert);
  EXPECT_FALSE(piece.alerts[1].place);

  EXPECT_TRUE(sample().piece(kSegment, 0).spans.empty());
}

TEST(Contents, WeighsWhatItHolds) {
  EXPECT_TRUE(Contents{}.is_empty());
  EXPECT_FALSE(sample().is_empty());
  Contents alert;
  alert.add(alert_at(1));
  EXPECT_FALSE(alert.is_empty());
  EXPECT_GT(alert.weight(), Contents{}.weight() + alert_at(1).alert.signature.size());
  Contents one, many;
  for (std::uint64_t i = 0; i < 1000; ++i) many.add({i, {}, 60}, 7, {});
  one.add({0, {}, 60}, 7, {});
  EXPECT_GE(many.weight(), one.weight() + 999 * 8) << "each packet has its place in the index";
}

}  // namespace
}  // namespace nids
