// SPDX-License-Identifier: Apache-2.0
// Measures how long a worker works between two drains of its rings. The linker replaces
// RingReader::consume() in the benchmark, so nids-xdp has no code for the measurement.
#pragma once

#include <cstdint>
#include <vector>

namespace nids::bench {

// The work from the end of a drain to the begin of the next drain.
struct Round {
  std::uint64_t cpu_ns = 0;   // of the worker's thread
  std::uint64_t wall_ns = 0;  // waits included
  bool has_more = false;      // the drain before the round left records
  bool is_filling = false;    // flows were still being made: see mark_filled()
};

// Call it when all flows are made. Later rounds have is_filling = false.
void mark_filled();
// Returns all rounds of all workers. Call it after the workers have ended.
std::vector<Round> take_rounds();

}  // namespace nids::bench
