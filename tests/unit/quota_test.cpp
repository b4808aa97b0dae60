// SPDX-License-Identifier: Apache-2.0
#include "worker/quota.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace nids {
namespace {

// `--count` and `--store` are exact, however many workers there are.
TEST(Quota, IsExactOverAllWorkers) {
  constexpr std::uint64_t kLimit = 1000;
  Quota quota({.filter = {}, .filter_text = {}, .max_suspicious = kLimit, .max_kept = kLimit});
  std::atomic<std::uint64_t> suspicious = 0, kept = 0;
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i)
    workers.emplace_back([&] {
      for (std::uint64_t packet = 0; packet < kLimit; ++packet) {
        suspicious += quota.take_suspicious();
        kept += quota.take_kept();
      }
    });
  for (std::thread& one : workers) one.join();
  EXPECT_EQ(suspicious, kLimit);
  EXPECT_EQ(kept, kLimit);
  EXPECT_TRUE(quota.has_enough());
}

}  // namespace
}  // namespace nids
