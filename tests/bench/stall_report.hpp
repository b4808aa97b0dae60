// SPDX-License-Identifier: Apache-2.0
// Prints what a run of nids-stall-bench has measured.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nids/abi/counters.h"
#include "stall_client.hpp"
#include "stall_rounds.hpp"

namespace nids::bench {

struct CpuTimes {
  std::uint64_t all = 0, steal = 0;  // of all CPUs, in ticks
};
CpuTimes cpu_times();

struct Measured {
  Asked asked;
  std::uint64_t flows = 0, consumed = 0, rss_kib = 0;
  nids_sum lost{};
  CpuTimes begun, ended;
};

// VmRSS of this process.
std::uint64_t rss_kib();
// Does the same short work for a second. Returns the CPU time of each repetition. If the host takes
// the CPU away without reporting steal, every measured CPU time includes that time.
std::vector<std::uint64_t> machine_noise_ns();

void report(const Measured& measured, const std::vector<Round>& rounds,
            std::vector<std::uint64_t> noise_ns, bool is_frozen);

}  // namespace nids::bench
