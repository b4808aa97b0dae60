// SPDX-License-Identifier: Apache-2.0
// Takes records out of the ring buffers of one or more programs. Does not look into them.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "kernel/handle.hpp"
#include "nids/result.hpp"

struct ring_buffer;

namespace nids {

class RingReader {
 public:
  static constexpr std::size_t kBudget = 4096;

  // The record is valid during the call only.
  using Sink = std::function<void(std::span<const std::byte>)>;

  RingReader();
  RingReader(RingReader&&) noexcept;
  ~RingReader();

  [[nodiscard]] Result<void> add(int map_fd, Sink sink);
  // For epoll: readable when the kernel forced a wake-up. Records that did not force one wait for
  // the next consume(), so call it on a timer too.
  int fd() const { return epoll_.get(); }
  // Up to kBudget records of each ring, so that a flood in one neither starves the others nor
  // keeps the caller from all else. Returns whether there may be more.
  [[nodiscard]] Result<bool> consume();

 private:
  struct FreeRing {
    void operator()(ring_buffer* ring) const noexcept;
  };
  // libbpf keeps its address: heap-held, and destroyed after the ring.
  struct Reader {
    Sink sink;
    std::size_t left = 0;
    std::unique_ptr<ring_buffer, FreeRing> ring;
  };
  static int take(void* context, void* data, std::size_t bytes) noexcept;

  Fd epoll_;
  std::vector<std::unique_ptr<Reader>> readers_;
};

}  // namespace nids
