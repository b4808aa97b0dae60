// SPDX-License-Identifier: Apache-2.0
#include "retain/hold.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>
#include <vector>

namespace nids {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kMuch = 1 << 20;

OwnedPacket packet(std::uint32_t number, std::uint64_t time_ns, std::size_t bytes = 100) {
  OwnedPacket one;
  one.time = {time_ns};
  one.wire_len = number;
  one.own(std::vector(bytes, std::byte{1}));
  return one;
}

class HoldTest : public testing::Test {
 protected:
  std::vector<std::uint32_t> released(Hold& hold, std::uint64_t flow) {
    std::vector<std::uint32_t> numbers;
    hold.release(flow, [&](const Packet& one, nids_agent_counters& own) {
      EXPECT_EQ(&own, &counters_);
      EXPECT_EQ(one.bytes.size(), 100u);
      numbers.push_back(one.wire_len);
    });
    return numbers;
  }
  using Numbers = std::vector<std::uint32_t>;
  nids_agent_counters counters_{};
};

TEST_F(HoldTest, GivesBackTheFlowsPacketsInOrderAndOnce) {
  Hold hold({kMuch, 30s});
  for (std::uint32_t i = 0; i < 9; ++i) hold.add(packet(i, kSecond + i), i % 3, counters_);
  EXPECT_EQ(counters_.held.packets, 9u);
  EXPECT_EQ(counters_.held.bytes, 900u);
  EXPECT_EQ(released(hold, 1), (Numbers{1, 4, 7}));
  EXPECT_EQ(released(hold, 1), Numbers{});
  EXPECT_EQ(released(hold, 9), Numbers{});
  hold.add(packet(20, kSecond), 1, counters_);
  EXPECT_EQ(released(hold, 1), Numbers{20});
  EXPECT_EQ(released(hold, 2), (Numbers{2, 5, 8}));
  EXPECT_EQ(released(hold, 0), (Numbers{0, 3, 6}));
  EXPECT_EQ(counters_.held.packets, 0u);
  EXPECT_EQ(counters_.held.bytes, 0u);
  EXPECT_EQ(counters_.not_kept_by_policy.packets, 0u);
  EXPECT_EQ(hold.used_bytes(), 0u);
}

TEST_F(HoldTest, TheOldestPacketOfAllGoesWhereItIsFull) {
  Hold probe({kMuch, 30s});
  probe.add(packet(0, kSecond), 0, counters_);
  const std::uint64_t one = probe.used_bytes();
  EXPECT_GT(one, sizeof(Packet) + 100);
  counters_ = {};
  Hold hold({4 * one, 30s});
  for (std::uint32_t i = 0; i < 6; ++i) hold.add(packet(i, kSecond), i % 2, counters_);
  EXPECT_EQ(hold.packets(), 4u);
  EXPECT_EQ(hold.used_bytes(), 4 * one);
  EXPECT_EQ(counters_.not_kept_by_policy.packets, 2u);
  EXPECT_EQ(counters_.not_kept_by_policy.bytes, 200u);
  EXPECT_EQ(released(hold, 0), (Numbers{2, 4}));
  EXPECT_EQ(released(hold, 1), (Numbers{3, 5}));
}

TEST_F(HoldTest, WhatDoesNotFitAtAllIsNotHeldAndNothingGoesForIt) {
  Hold hold({4096, 30s});
  hold.add(packet(1, kSecond), 1, counters_);
  hold.add(packet(2, kSecond, 4096), 1, counters_);
  EXPECT_EQ(counters_.not_kept_by_policy.bytes, 4096u);
  EXPECT_EQ(released(hold, 1), Numbers{1});
  Hold none({0, 30s});
  none.add(packet(1, kSecond, 0), 1, counters_);
  EXPECT_EQ(counters_.not_kept_by_policy.packets, 2u);
  EXPECT_EQ(none.packets(), 0u);
}

TEST_F(HoldTest, WhatIsOldGoesWithTheNextPacketOrByTheClock) {
  Hold hold({kMuch, 30s});
  hold.add(packet(1, 100 * kSecond), 1, counters_);
  hold.add(packet(2, 130 * kSecond - 1), 1, counters_);
  EXPECT_EQ(hold.packets(), 2u);
  hold.add(packet(3, 130 * kSecond), 1, counters_);
  EXPECT_EQ(hold.packets(), 2u);
  hold.expire({160 * kSecond - 1});
  EXPECT_EQ(released(hold, 1), Numbers{3});
  EXPECT_EQ(counters_.not_kept_by_policy.packets, 2u);
}

TEST_F(HoldTest, AStepOfTheClockBackLetsGoToo) {
  Hold hold({kMuch, 30s});
  hold.add(packet(1, 1'000'000 * kSecond), 1, counters_);
  hold.add(packet(2, 10 * kSecond), 1, counters_);
  EXPECT_EQ(released(hold, 1), Numbers{2});
}

TEST_F(HoldTest, EachInterfaceHasItsOwnAccount) {
  nids_agent_counters other{};
  Hold hold({kMuch, 30s});
  hold.add(packet(1, kSecond), 1, counters_);
  hold.add(packet(2, kSecond), 2, other);
  hold.clear();
  EXPECT_EQ(counters_.not_kept_by_policy.packets, 1u);
  EXPECT_EQ(other.not_kept_by_policy.packets, 1u);
  EXPECT_EQ(other.held.packets, 0u);
  EXPECT_EQ(hold.used_bytes(), 0u);
}

// Against a plain model of it.
TEST_F(HoldTest, DoesAsAModelDoesWhateverComes) {
  constexpr std::uint64_t kBudget = 40'000;
  struct Modelled {
    std::uint32_t number;
    std::uint64_t flow, time, cost;
  };
  std::mt19937 random(3);
  Hold hold({kBudget, 5s});
  std::deque<Modelled> model;
  std::uint64_t used = 0, now = 1'000 * kSecond;
  std::uint64_t given = 0, added = 0;
  const auto drop = [&] {
    used -= model.front().cost;
    model.pop_front();
  };
  const auto expire = [&] {
    const auto is_old = [&](std::uint64_t time) {
      return (now > time ? now - time : time - now) >= 5 * kSecond;
    };
    while (!model.empty() && is_old(model.front().time)) drop();
  };
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    const std::uint64_t flow = random() % 12;
    now += random() % (kSecond / 4);
    if (random() % 500 == 0) now -= random() % (20 * kSecond);
    if (random() % 20 == 0) {
      Numbers expected;
      for (const Modelled& one : model)
        if (one.flow == flow) expected.push_back(one.number);
      std::erase_if(model, [&](const Modelled& one) {
        used -= one.flow == flow ? one.cost : 0;
        return one.flow == flow;
      });
      Numbers got;
      hold.release(flow, [&](const Packet& one, auto&) { got.push_back(one.wire_len); });
      ASSERT_EQ(got, expected);
      given += got.size();
    }
    const std::uint64_t before = hold.used_bytes();
    const std::size_t count_before = hold.packets();
    Hold alone({kBudget, 5s});
    nids_agent_counters unused{};
    const OwnedPacket one = packet(i, now, random() % 3'000);
    alone.add(one, flow, unused);
    hold.add(one, flow, counters_);
    ++added;
    expire();
    const std::uint64_t cost = alone.used_bytes();
    while (used + cost > kBudget) drop();
    model.push_back({i, flow, now, cost});
    used += cost;
    ASSERT_EQ(hold.used_bytes(), used) << before << " in " << count_before;
    ASSERT_EQ(hold.packets(), model.size());
    ASSERT_LE(hold.used_bytes(), kBudget);
    ASSERT_EQ(counters_.held.packets, model.size());
    ASSERT_EQ(counters_.held.packets + counters_.not_kept_by_policy.packets + given, added);
    alone.clear();
  }
  EXPECT_GT(given, 1'000u);
}

}  // namespace
}  // namespace nids
