// SPDX-License-Identifier: Apache-2.0
// What a store of packets may take.
#pragma once

#include <chrono>
#include <cstdint>

#include "retain/writer.hpp"

namespace nids {

// What to do with a packet where the writer is too far behind.
enum class WhenBehind { kLose, kWait };

struct StoreLimits {
  std::uint64_t budget_bytes = 1ull << 30;        // of all segments together
  std::uint64_t segment_bytes = 64ull << 20;      // at most, and an eighth of the budget
  std::chrono::seconds segment_time{3600};        // a segment is complete after it, by its packets
  double min_free_share = 0.10;                   // of the disk, for users without privileges
  std::uint64_t max_waiting_bytes = 16ull << 20;  // for the writer
  std::uint64_t max_alerts = 100'000;             // in the index
  Sync sync = Sync::kNever;
  WhenBehind when_behind = WhenBehind::kLose;
  std::chrono::milliseconds retry_index_after{1000};  // where it could not be written
};

}  // namespace nids
