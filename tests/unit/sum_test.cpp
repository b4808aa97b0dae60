// SPDX-License-Identifier: Apache-2.0
#include "nids/sum.hpp"

#include <gtest/gtest.h>

namespace nids {
namespace {

TEST(Waiting, IsWhatIsKeptAndNotWritten) {
  nids_agent_counters counters{};
  counters.retained = {10, 1000};
  counters.written = {7, 600};
  EXPECT_EQ(waiting_of(counters).packets, 3u);
  EXPECT_EQ(waiting_of(counters).bytes, 400u);
}

TEST(Waiting, IsNothingWhereTheWriterIsAheadOfACopy) {
  nids_agent_counters counters{};
  counters.retained = {10, 1000};
  counters.written = {11, 900};
  EXPECT_EQ(waiting_of(counters).packets, 0u);
  EXPECT_EQ(waiting_of(counters).bytes, 100u);
}

}  // namespace
}  // namespace nids
