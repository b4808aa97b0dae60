// SPDX-License-Identifier: Apache-2.0
// How long a worker works between two drains of its rings. The linker puts this in the place of
// RingReader::consume(), so the product has no code for it.
#pragma once

#include <cstdint>
#include <vector>

namespace nids::bench {

// The work from the end of a drain to the begin of the next.
struct Round {
  std::uint64_t cpu_ns = 0;   // of the worker's thread
  std::uint64_t wall_ns = 0;  // with all that it waited for
  bool has_more = false;      // the drain before it left records in the ring
  bool is_filling = false;    // flows were still being made: see mark_filled()
};

// From now on, rounds belong to the measurement and not to the time in which flows are made.
void mark_filled();
// All rounds of all workers. Call it when they have ended.
std::vector<Round> take_rounds();

}  // namespace nids::bench
