// SPDX-License-Identifier: Apache-2.0
// Which sets belong to which ring.
#include "nids/abi/shard.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

namespace nids {
namespace {

TEST(Shard, EachRingHasOneRangeOfSetsAndEachSetIsInOneRing) {
  for (std::uint32_t sets = 1; sets <= 512; sets *= 2)
    for (std::uint32_t rings = 1; rings <= std::min(sets, 64u); ++rings) {
      SCOPED_TRACE(testing::Message() << sets << " sets, " << rings << " rings");
      EXPECT_EQ(nids_first_set_of_ring(0, sets, rings), 0u);
      EXPECT_EQ(nids_first_set_of_ring(rings, sets, rings), sets);
      for (std::uint32_t ring = 0; ring < rings; ++ring) {
        const std::uint32_t first = nids_first_set_of_ring(ring, sets, rings);
        const std::uint32_t end = nids_first_set_of_ring(ring + 1, sets, rings);
        EXPECT_LT(first, end) << "a ring without a set";
        EXPECT_LE(end - first, sets / rings + 1);
        for (std::uint32_t set = first; set < end; ++set)
          EXPECT_EQ(nids_ring_of_set(set, sets, rings), ring);
      }
    }
}

TEST(Shard, TheLargestTableDoesNotOverflow) {
  constexpr std::uint32_t kSets = 1u << 31, kRings = 64;
  EXPECT_EQ(nids_ring_of_set(kSets - 1, kSets, kRings), kRings - 1);
  EXPECT_EQ(nids_first_set_of_ring(kRings, kSets, kRings), kSets);
}

}  // namespace
}  // namespace nids
