// SPDX-License-Identifier: Apache-2.0
#include "worker/fair_mutex.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

namespace nids {
namespace {

// With std::mutex the owner takes it again before the other thread wakes up.
TEST(FairMutex, AWaitingThreadGetsItBeforeTheOwnerTakesItAgain) {
  FairMutex mutex;
  std::atomic<bool> is_waiting = false, has_had_it = false;
  std::atomic<int> rounds_after = 0;
  mutex.lock();
  std::thread other([&] {
    is_waiting = true;
    mutex.lock();
    has_had_it = true;
    mutex.unlock();
  });
  while (!is_waiting) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // until it is in lock()
  mutex.unlock();
  while (!has_had_it) {
    const std::lock_guard lock(mutex);
    rounds_after += !has_had_it;
  }
  other.join();
  EXPECT_LE(rounds_after, 1);
}

TEST(FairMutex, OneThreadAtATimeHoldsIt) {
  FairMutex mutex;
  int inside = 0, total = 0;
  const auto work = [&] {
    for (int i = 0; i < 20'000; ++i) {
      const std::lock_guard lock(mutex);
      ASSERT_EQ(++inside, 1);
      ++total;
      --inside;
    }
  };
  std::thread one(work), two(work), three(work);
  one.join();
  two.join();
  three.join();
  EXPECT_EQ(total, 60'000);
}

}  // namespace
}  // namespace nids
