// SPDX-License-Identifier: Apache-2.0
// An array that grows without moving its elements. Never shrinks.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace nids {

template <class T>
class Chunks {
 public:
  T& operator[](std::size_t index) { return chunks_[index / kChunk][index % kChunk]; }
  const T& operator[](std::size_t index) const { return chunks_[index / kChunk][index % kChunk]; }
  std::size_t size() const { return size_; }

  // Adds one element; returns its index.
  std::size_t add() {
    if (size_ == chunks_.size() * kChunk) chunks_.push_back(std::make_unique<T[]>(kChunk));
    return size_++;
  }

 private:
  // Small, because the caller waits for a page fault on each page of a new chunk: some 20 us a page
  // on a virtual machine.
  static constexpr std::size_t kChunk = 512;
  std::vector<std::unique_ptr<T[]>> chunks_;
  std::size_t size_ = 0;
};

}  // namespace nids
