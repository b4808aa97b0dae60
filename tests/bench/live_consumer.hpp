// SPDX-License-Identifier: Apache-2.0
// A thread that takes records from a ring while it is filled, as the agent does. Owns the thread;
// looks into no record.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "nids/result.hpp"

namespace nids::bench {

class LiveConsumer {
 public:
  // On that CPU, until the destructor.
  [[nodiscard]] static Result<std::unique_ptr<LiveConsumer>> start(int ring_fd, int cpu);
  ~LiveConsumer();

 private:
  LiveConsumer() = default;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// Keeps the calling thread on one CPU.
[[nodiscard]] Result<void> stay_on_cpu(int cpu);

}  // namespace nids::bench
