// SPDX-License-Identifier: Apache-2.0
// Takes records out of the ring buffers of one or more programs. Does not look into them.
#pragma once

#include <chrono>
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
  // The record is valid during the call only.
  using Sink = std::function<void(std::span<const std::byte>)>;

  RingReader();
  RingReader(RingReader&&) noexcept;
  ~RingReader();

  [[nodiscard]] Result<void> add(int map_fd, Sink sink);
  // For epoll: readable when the kernel forced a wake-up. Records that did not force one wait for
  // the next consume(), so call it on a timer too.
  int fd() const;
  // Everything there is, of all rings, in one call. Returns the number of records.
  [[nodiscard]] Result<std::size_t> consume();

 private:
  struct FreeRing {
    void operator()(ring_buffer* ring) const noexcept;
  };
  // libbpf keeps each sink's address: heap-held, and destroyed after the ring.
  std::vector<std::unique_ptr<Sink>> sinks_;
  std::unique_ptr<ring_buffer, FreeRing> ring_;
};

}  // namespace nids
