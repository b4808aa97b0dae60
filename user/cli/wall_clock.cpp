// SPDX-License-Identifier: Apache-2.0
#include "cli/wall_clock.hpp"

#include <ctime>

namespace nids {

WallTime wall_now() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return {static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
          static_cast<std::uint64_t>(now.tv_nsec)};
}

}  // namespace nids
