// SPDX-License-Identifier: Apache-2.0
#include "nids/sum.hpp"

#include <gtest/gtest.h>

namespace nids {
namespace {

TEST(Waiting, IsWhatIsKeptAndNotWrittenAndNeverLessThanNothing) {
  nids_agent_counters counters{};
  counters.retained = {10, 1000};
  counters.written = {7, 600};
  EXPECT_EQ(waiting_of(counters).packets, 3u);
  EXPECT_EQ(waiting_of(counters).bytes, 400u);
  counters.written.packets = 11;  // raised behind the copy of what is kept
  EXPECT_EQ(waiting_of(counters).packets, 0u);
  EXPECT_EQ(waiting_of(counters).bytes, 400u);
}

}  // namespace
}  // namespace nids
