// SPDX-License-Identifier: Apache-2.0
// The few counters by which a measurement is believed or not. Reads a block; judges nothing.
#pragma once

#include <cstdint>

namespace nids::bench {

struct Counted {
  std::uint64_t seen = 0;  // packets, as are all but the last two
  std::uint64_t no_flow = 0;
  std::uint64_t unaccounted = 0;
  std::uint64_t flows_created = 0;
  std::uint64_t flows_exported = 0;
  std::uint64_t records = 0;  // offered to the ring
  std::uint64_t records_lost = 0;
};

// Of one CPU, from a map of struct nids_counters.
Counted read_counted(int map_fd, std::uint32_t cpu);

Counted operator-(const Counted& after, const Counted& before);
Counted& operator+=(Counted& sum, const Counted& more);

}  // namespace nids::bench
