// SPDX-License-Identifier: Apache-2.0
#include "stall_rounds.hpp"

#include <atomic>
#include <ctime>
#include <mutex>
#include <utility>

#include "kernel/ring.hpp"

namespace nids::bench {
namespace {

std::atomic<bool> is_filled = false;
std::mutex all_mutex;
std::vector<Round> all;

std::uint64_t now_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

// The rounds of one worker. After a drain that left no record, the wall time of the round includes
// the wait for the next drain.
class Rounds {
 public:
  ~Rounds() {
    const std::lock_guard lock(all_mutex);
    all.insert(all.end(), rounds_.begin(), rounds_.end());
  }
  void begin_drain() {
    if (cpu_ns_ == 0) return;
    rounds_.push_back({.cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns_,
                       .wall_ns = now_ns(CLOCK_MONOTONIC) - wall_ns_,
                       .has_more = has_more_,
                       .is_filling = !is_filled});
  }
  void end_drain(bool has_more) {
    has_more_ = has_more;
    wall_ns_ = now_ns(CLOCK_MONOTONIC);
    cpu_ns_ = now_ns(CLOCK_THREAD_CPUTIME_ID);
  }

 private:
  std::uint64_t cpu_ns_ = 0, wall_ns_ = 0;  // at the end of the last drain
  bool has_more_ = false;
  std::vector<Round> rounds_;
};

}  // namespace

// The linker's option --wrap makes both these names; see CMakeLists.txt.
Result<bool> real_consume(RingReader* reader) asm("__real__ZN4nids10RingReader7consumeEv");
Result<bool> measured_consume(RingReader* reader) asm("__wrap__ZN4nids10RingReader7consumeEv");

Result<bool> measured_consume(RingReader* reader) {
  thread_local Rounds rounds;
  rounds.begin_drain();
  auto taken = real_consume(reader);
  rounds.end_drain(taken && *taken);
  return taken;
}

void mark_filled() { is_filled = true; }

std::vector<Round> take_rounds() {
  const std::lock_guard lock(all_mutex);
  return std::exchange(all, {});
}

}  // namespace nids::bench
