// SPDX-License-Identifier: Apache-2.0
#include "config/config.hpp"

namespace nids {

std::uint32_t worker_count(const Config& config) {
  // One, because alerts are then written in the order of their packets.
  constexpr std::uint32_t kDefaultWorkers = 1;
  return config.workers != 0 ? config.workers : kDefaultWorkers;
}

}  // namespace nids
