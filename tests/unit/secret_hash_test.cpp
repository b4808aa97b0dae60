// SPDX-License-Identifier: Apache-2.0
// Attackers choose the keys, so secret numbers must decide where each key goes.
#include "decode/secret_hash.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "net/flow_identity.hpp"

namespace nids {
namespace {

using Hash = SecretHash<FlowIdentity>;

constexpr std::uint16_t kFlows = 1'000;
constexpr std::size_t kByChance = 2;  // equal hashes, of 1,000 flows and 4 billion values

std::vector<FlowIdentity> flows() {
  std::vector<FlowIdentity> all(kFlows);
  for (std::uint16_t i = 0; i < kFlows; ++i) all[i].key.hi_port = i;
  return all;
}

std::vector<std::size_t> places(const Hash& hash) {
  std::vector<std::size_t> all;
  for (const FlowIdentity& flow : flows()) all.push_back(hash(flow));
  return all;
}

TEST(SecretHash, TwoInstancesPlaceTheSameFlowsDifferently) {
  const auto one = places(Hash{}), other = places(Hash{});
  std::size_t same = 0;
  for (std::size_t i = 0; i < kFlows; ++i) same += one[i] == other[i];
  EXPECT_LE(same, kByChance);
}

// If one secret number were only added, keys that collide in one instance would collide in each.
TEST(SecretHash, TwoFlowsAreNotEquallyFarApartInTwoInstances) {
  const auto one = places(Hash{}), other = places(Hash{});
  std::size_t same = 0;
  for (std::size_t i = 1; i < kFlows; ++i) same += one[i] - one[0] == other[i] - other[0];
  EXPECT_LE(same, kByChance);
}

TEST(SecretHash, ACopyPlacesEachFlowWhereTheOriginalDoes) {
  const Hash hash, copy = hash;
  EXPECT_EQ(places(hash), places(copy));
  EXPECT_EQ(places(hash), places(hash));
}

TEST(SecretHash, EachByteOfAFlowCounts) {
  const Hash hash;
  const std::size_t before = hash(FlowIdentity{});
  for (std::size_t i = 0; i < sizeof(FlowIdentity); ++i) {
    FlowIdentity flow;
    reinterpret_cast<unsigned char*>(&flow)[i] = 1;
    EXPECT_NE(hash(flow), before) << "byte " << i;
  }
}

}  // namespace
}  // namespace nids
