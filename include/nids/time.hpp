// SPDX-License-Identifier: Apache-2.0
// Two clocks that never mix: the kernel's monotonic time and the wall's.
#pragma once

#include <compare>
#include <cstdint>
#include <ctime>

namespace nids {

// Nanoseconds of CLOCK_MONOTONIC, as bpf_ktime_get_ns() counts them.
struct MonoTime {
  std::uint64_t ns = 0;
  auto operator<=>(const MonoTime&) const = default;
};

inline MonoTime monotonic_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return {static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
          static_cast<std::uint64_t>(now.tv_nsec)};
}

// Nanoseconds since 1970-01-01 UTC, without leap seconds.
struct WallTime {
  std::uint64_t ns = 0;
  auto operator<=>(const WallTime&) const = default;
};

// The distance between the two, read again every second so that steps of the wall clock and
// suspend stay right. A replay has offset 0: its kernel time is the packet's own time.
struct ClockOffset {
  std::int64_t ns = 0;
  WallTime wall(MonoTime mono) const { return {mono.ns + static_cast<std::uint64_t>(ns)}; }
};

}  // namespace nids
