// SPDX-License-Identifier: Apache-2.0
#include "retain/shelf.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace nids {
namespace {

SegmentName named(std::uint64_t sequence, std::uint8_t severity = 0,
                  const char* time = "20261122T100000") {
  return {time, sequence, severity};
}

std::vector<std::uint64_t> order_of(Shelf& shelf, std::uint64_t now) {
  std::vector<std::uint64_t> order;
  while (const auto taken = shelf.take_least(now)) order.push_back(taken->sequence);
  return order;
}

TEST(Shelf, OfOneSeverityTheOldestGoesFirstWhateverTheClockSaid) {
  Shelf shelf;
  shelf.add(named(3, 2, "20200101T000000"), 1, {});
  shelf.add(named(1, 2, "20300101T000000"), 1, {});
  shelf.add(named(2, 2, "19700101T000000"), 1, {});
  EXPECT_EQ(order_of(shelf, 4), (std::vector<std::uint64_t>{1, 2, 3}));
}

TEST(Shelf, OfOneAgeTheLeastSevereGoesFirst) {
  Shelf shelf;
  for (const std::uint8_t severity : {1, 0, 2, 3}) shelf.add(named(7, severity), 1, {});
  std::vector<int> order;
  while (const auto taken = shelf.take_least(8)) order.push_back(taken->severity);
  EXPECT_EQ(order, (std::vector<int>{0, 3, 2, 1}));
}

TEST(Shelf, ASevereOneOutlivesOthersButNotForEver) {
  Shelf shelf;
  shelf.add(named(1, 1), 1, {});
  for (std::uint64_t i = 2; i < 10; ++i) shelf.add(named(i, 3), 1, {});
  // Of age 9 it counts as 9; one of severity 3 that is 3 segments old counts as 12, of 2 as 8.
  EXPECT_EQ(order_of(shelf, 10), (std::vector<std::uint64_t>{2, 3, 4, 5, 6, 7, 1, 8, 9}));
}

TEST(Shelf, AddsUpItsBytes) {
  Shelf shelf;
  EXPECT_FALSE(shelf.take_least(1));
  shelf.add(named(1), 100, {5, 90});
  shelf.add(named(2, 1), 50, {1, 40});
  shelf.take_back(named(1), 30, {2, 20});
  shelf.take_back(named(9), 30, {2, 20});
  EXPECT_EQ(shelf.bytes(), 120u);
  EXPECT_EQ(shelf.take_least(3), named(1));
  EXPECT_EQ(shelf.bytes(), 50u);
  EXPECT_EQ(shelf.remove(named(1)).packets, 3u);
  EXPECT_EQ(shelf.remove(named(1)).packets, 0u) << "it is gone";
}

TEST(Shelf, OfOneThatIsTakenPacketsMayTurnOutNotToBeThere) {
  Shelf shelf;
  shelf.add(named(1), 100, {5, 90});
  ASSERT_TRUE(shelf.take_least(2));
  shelf.take_back(named(1), 60, {3, 50});
  EXPECT_EQ(shelf.bytes(), 0u);
  const nids_sum held = shelf.remove(named(1));
  EXPECT_EQ(held.packets, 2u);
  EXPECT_EQ(held.bytes, 40u);
}

TEST(Shelf, WhatHasNoByteIsNotThere) {
  Shelf shelf;
  shelf.add(named(1), 0, {});
  shelf.add(named(2), 100, {5, 90});
  shelf.take_back(named(2), 100, {5, 90});
  EXPECT_FALSE(shelf.take_least(3));
  EXPECT_FALSE(shelf.oldest());
}

TEST(Shelf, WhatIsPutAsideCountsAndIsNotTaken) {
  Shelf shelf;
  shelf.add(named(1), 100, {5, 90});
  shelf.add(named(2, 0, "20261122T100001"), 50, {1, 40});
  shelf.put_aside(*shelf.take_least(3));
  EXPECT_EQ(shelf.bytes(), 150u);
  EXPECT_EQ(shelf.aside(), std::vector{named(1)});
  EXPECT_EQ(shelf.take_least(3)->sequence, 2u);
  EXPECT_EQ(shelf.oldest(), named(1).begun());
  EXPECT_FALSE(shelf.take_least(3));
  shelf.take_back(named(1), 40, {1, 30});
  EXPECT_EQ(shelf.bytes(), 60u);
  EXPECT_EQ(shelf.remove(named(1)).packets, 4u);
  EXPECT_EQ(shelf.bytes(), 0u);
  EXPECT_TRUE(shelf.aside().empty());
}

TEST(Shelf, KeepsTwoOfOneNumber) {
  Shelf shelf;
  shelf.add(named(1, 0, "20261122T100000"), 10, {});
  shelf.add(named(1, 0, "20261122T100001"), 20, {});
  EXPECT_EQ(shelf.bytes(), 30u);
  EXPECT_EQ(order_of(shelf, 2).size(), 2u);
}

TEST(Shelf, KnowsTheOldestByItsName) {
  Shelf shelf;
  EXPECT_FALSE(shelf.oldest());
  shelf.add(named(5, 1, "20261122T100000"), 1, {});
  shelf.add(named(6, 3, "20261122T095959"), 1, {});
  EXPECT_EQ(shelf.oldest()->ns, 1'795'341'599'000'000'000u);
}

}  // namespace
}  // namespace nids
