// SPDX-License-Identifier: Apache-2.0
// A client that asks an agent for flows once a second, with a filter as costly as a filter may be.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

namespace nids::bench {

struct Asked {
  int answers = 0;
  std::uint64_t fewest_flows = ~0ull;   // the smallest total of an answer
  std::chrono::milliseconds longest{};  // from the question to the last byte of the answer
};

// Asks until `is_over`. `path` is that of the control socket.
Asked ask_each_second(const std::string& path, const std::atomic<bool>& is_over);

}  // namespace nids::bench
