// SPDX-License-Identifier: Apache-2.0
#include "flow/flow_index.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>

namespace nids {
namespace {

// Compares the index with a std::map: from the number of a flow to its place in the pool.
class FlowIndexTest : public testing::Test {
 protected:
  static FlowIdentity flow(std::uint32_t number) {
    FlowIdentity flow;
    std::memcpy(flow.key.lo_addr, &number, sizeof(number));
    if (number % 3 == 0) {
      flow.key.tunnel = NIDS_TUNNEL_VXLAN;
      flow.tunnel.id = number;
    }
    return flow;
  }
  static std::uint32_t link(std::uint32_t number) { return number % 5; }

  FlowIndexTest() { pool_.add(); }

  void insert(std::uint32_t number) {
    const auto place = static_cast<std::uint32_t>(pool_.add());
    pool_[place].key = flow(number).key;
    if (number % 3 == 0) pool_[place].set_tunnel(flow(number).tunnel);
    pool_[place].link = link(number);
    index_.insert(place);
    places_[number] = place;
  }
  void erase(std::uint32_t number) {
    index_.erase(places_.at(number));
    places_.erase(number);
  }
  void expect_all(std::uint32_t numbers) {
    for (std::uint32_t number = 0; number < numbers; ++number) {
      const auto known = places_.find(number);
      const std::uint32_t place = known == places_.end() ? FlowIndex::kNone : known->second;
      ASSERT_EQ(index_.find(flow(number), link(number)), place) << number;
    }
  }

  Chunks<Flow> pool_;
  FlowIndex index_{pool_};
  std::map<std::uint32_t, std::uint32_t> places_;
};

TEST_F(FlowIndexTest, FindsEachFlowWhileItGrows) {
  for (std::uint32_t number = 0; number < 10'000; ++number) {
    insert(number);
    if (number % 997 == 0) expect_all(number + 100);
  }
  expect_all(10'100);
}

TEST_F(FlowIndexTest, ErasedFlowsAreNotFound) {
  std::mt19937 random(7);
  constexpr std::uint32_t kNumbers = 8000;
  for (int step = 0; step < 50'000; ++step) {
    const std::uint32_t number = random() % kNumbers;
    places_.contains(number) ? erase(number) : insert(number);
  }
  expect_all(kNumbers);
}

TEST_F(FlowIndexTest, OneKeyOnTwoLinksIsTwoFlows) {
  insert(7);
  EXPECT_EQ(index_.find(flow(7), link(7)), places_[7]);
  EXPECT_EQ(index_.find(flow(7), link(7) + 1), FlowIndex::kNone);
}

}  // namespace
}  // namespace nids
