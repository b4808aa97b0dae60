// SPDX-License-Identifier: Apache-2.0
// Memory for blocks on their way to the disk, used again: fresh memory of this size is cold, and
// costs a page fault for each 4 KiB.
#pragma once

#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

namespace nids {

// For any thread.
class Buffers {
 public:
  using Buffer = std::vector<std::byte>;

  // Empty, with room for so many bytes.
  Buffer take(std::size_t bytes) {
    Buffer buffer;
    {
      const std::lock_guard lock(mutex_);
      if (!spare_.empty()) {
        buffer = std::move(spare_.back());
        spare_.pop_back();
      }
    }
    buffer.clear();
    buffer.reserve(bytes);
    return buffer;
  }
  void give(Buffer buffer) {
    const std::lock_guard lock(mutex_);
    if (spare_.size() < kMostSpare) spare_.push_back(std::move(buffer));
  }

 private:
  static constexpr std::size_t kMostSpare = 4;

  std::mutex mutex_;
  std::vector<Buffer> spare_;
};

}  // namespace nids
