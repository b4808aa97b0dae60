// SPDX-License-Identifier: Apache-2.0
#include "output/flow_changes.hpp"

#include <gtest/gtest.h>

namespace nids {
namespace {

FlowChanges::Change change(std::uint64_t id) {
  FlowChanges::Change one{.kind = FlowChange::kStart, .class_id = 0, .record = {}};
  one.record.id = id;
  return one;
}

TEST(FlowChanges, ChangesAreDroppedWhileNobodyFollows) {
  FlowChanges changes(10);
  EXPECT_FALSE(changes.is_followed());
  changes.add(change(1));
  EXPECT_TRUE(changes.empty());
  EXPECT_FALSE(changes.take());
}

TEST(FlowChanges, ChangesComeInOrderAndThoseBeyondTheLimitAreCounted) {
  FlowChanges changes(3);
  changes.follow(true);
  for (std::uint64_t id = 1; id <= 5; ++id) changes.add(change(id));
  EXPECT_EQ(changes.take_left_out(), 2u);
  EXPECT_EQ(changes.take_left_out(), 0u);
  for (std::uint64_t id = 1; id <= 3; ++id) EXPECT_EQ(changes.take()->record.id, id);
  EXPECT_FALSE(changes.take());
}

TEST(FlowChanges, ANewFollowerGetsNoEarlierChanges) {
  FlowChanges changes(1);
  changes.follow(true);
  changes.add(change(1));
  changes.add(change(2));
  changes.follow(false);
  changes.follow(true);
  EXPECT_TRUE(changes.empty());
  EXPECT_EQ(changes.take_left_out(), 0u);
}

}  // namespace
}  // namespace nids
