// SPDX-License-Identifier: Apache-2.0
#include "live_consumer.hpp"

#include <bpf/libbpf.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "kernel/handle.hpp"

namespace nids::bench {
namespace {

constexpr int kLookEveryMs = 1;

// The agent copies each record out of the ring too.
int copy_record(void* context, void* data, std::size_t bytes) {
  auto& copy = *static_cast<std::array<std::byte, 512>*>(context);
  std::memcpy(copy.data(), data, std::min(bytes, copy.size()));
  return 0;
}

}  // namespace

Result<void> stay_on_cpu(int cpu) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(static_cast<std::size_t>(cpu), &only);
  if (sched_setaffinity(0, sizeof(only), &only) != 0)
    return Error{.action = "keep a thread on CPU " + std::to_string(cpu), .error_number = errno};
  return {};
}

Result<std::unique_ptr<LiveConsumer>> LiveConsumer::start(int ring_fd, int cpu) {
  auto copy = std::make_unique<std::array<std::byte, 512>>();
  Handle<ring_buffer, ring_buffer__free> ring(
      ring_buffer__new(ring_fd, copy_record, copy.get(), nullptr));
  if (!ring) return Error{.action = "open the ring for its consumer", .error_number = errno};

  std::unique_ptr<LiveConsumer> consumer(new LiveConsumer);
  std::atomic<bool>& stop = consumer->stop_;
  consumer->thread_ = std::thread([&stop, cpu, copy = std::move(copy), ring = std::move(ring)] {
    // A consumer that can't be kept there still consumes; what it loses is counted.
    (void)stay_on_cpu(cpu);
    while (!stop) {
      ring_buffer__poll(ring.get(), kLookEveryMs);
      ring_buffer__consume(ring.get());
    }
  });
  return consumer;
}

LiveConsumer::~LiveConsumer() {
  stop_ = true;
  thread_.join();
}

}  // namespace nids::bench
