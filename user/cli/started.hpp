// SPDX-License-Identifier: Apache-2.0
// What `attach` says once it watches. Prints nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

namespace nids {

struct StartedFacts {
  static constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

  std::string alerts, packets;  // where they go, safe to print; empty: nowhere
  std::chrono::system_clock::time_point now;
  std::optional<std::chrono::milliseconds> duration;
  std::uint64_t max_suspicious = kUnlimited;  // packets
};

// Lines with their newlines.
std::string started_text(const StartedFacts& facts);

}  // namespace nids
