// SPDX-License-Identifier: Apache-2.0
// Arithmetic of packets and their bytes.
#pragma once

#include <cstdint>

#include "nids/abi/counters.h"

namespace nids {

inline nids_sum& operator+=(nids_sum& sum, const nids_sum& more) {
  sum.packets += more.packets;
  sum.bytes += more.bytes;
  return sum;
}

inline nids_sum& operator-=(nids_sum& sum, const nids_sum& less) {
  sum.packets -= less.packets;
  sum.bytes -= less.bytes;
  return sum;
}

// For counters that two threads change; each counter is atomic by itself.
inline void add_atomically(nids_sum& sum, const nids_sum& more) {
  __atomic_fetch_add(&sum.packets, more.packets, __ATOMIC_RELAXED);
  __atomic_fetch_add(&sum.bytes, more.bytes, __ATOMIC_RELAXED);
}

inline void add_atomically(__u64& counter, std::uint64_t more) {
  __atomic_fetch_add(&counter, more, __ATOMIC_RELAXED);
}

inline void take_atomically(nids_sum& sum, const nids_sum& less) {
  __atomic_fetch_sub(&sum.packets, less.packets, __ATOMIC_RELAXED);
  __atomic_fetch_sub(&sum.bytes, less.bytes, __ATOMIC_RELAXED);
}

// What is kept and not on the disk yet. Of counters that a writer raises meanwhile, which may be
// read in either order.
inline nids_sum waiting_of(const nids_agent_counters& counters) {
  const auto left = [](std::uint64_t all, std::uint64_t done) {
    return all > done ? all - done : 0;
  };
  return {left(counters.retained.packets, counters.written.packets),
          left(counters.retained.bytes, counters.written.bytes)};
}

inline nids_sum plus(nids_sum a, const nids_sum& b) { return a += b; }

// Records of the ring that nobody could or can take.
inline nids_sum ring_lost(const nids_counters& counters) {
  nids_sum lost = counters.copy_failed;
  for (const nids_sum& reason : counters.ring_lost) lost += reason;
  return lost;
}

inline nids_sum one_packet(std::uint64_t bytes) { return {1, bytes}; }

}  // namespace nids
