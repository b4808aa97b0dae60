// SPDX-License-Identifier: Apache-2.0
// What `attach` says once it watches. Prints nothing.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace nids {

struct StartedFacts {
  std::string alerts, packets;  // where they go, safe to print; empty: nowhere
  std::chrono::system_clock::time_point now;
  std::optional<std::chrono::milliseconds> duration;
};

// Lines with their newlines.
std::string started_text(const StartedFacts& facts);

}  // namespace nids
