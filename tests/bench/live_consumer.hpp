// SPDX-License-Identifier: Apache-2.0
// A thread that takes records from a ring while it is filled, as the agent does. Owns the thread;
// understands no record.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>

#include "nids/result.hpp"

namespace nids::bench {

class LiveConsumer {
 public:
  // On that CPU, until the destructor.
  [[nodiscard]] static Result<std::unique_ptr<LiveConsumer>> start(int ring_fd, int cpu);
  ~LiveConsumer();

  // Until it has taken so many, since it began; a second at most.
  void wait_for(std::uint64_t records) const;

  // What it does with a record: the agent copies each out of the ring too.
  struct Copy {
    std::array<std::byte, 512> bytes{};
    std::atomic<std::uint64_t> records{0};
  };

 private:
  LiveConsumer() = default;
  Copy copy_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// Keeps the calling thread on one CPU.
[[nodiscard]] Result<void> stay_on_cpu(int cpu);

}  // namespace nids::bench
