// SPDX-License-Identifier: Apache-2.0
#include "live_consumer.hpp"

#include <bpf/libbpf.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>

#include "kernel/handle.hpp"

namespace nids::bench {
namespace {

constexpr int kLookEveryMs = 1;

int copy_record(void* context, void* data, std::size_t bytes) {
  auto& copy = *static_cast<LiveConsumer::Copy*>(context);
  std::memcpy(copy.bytes.data(), data, std::min(bytes, copy.bytes.size()));
  copy.records.fetch_add(1, std::memory_order_relaxed);
  return 0;
}

// Before the machine's other work: a consumer that waits for a CPU measures that work.
void be_preferred() {
  const sched_param lowest{.sched_priority = 1};
  sched_setscheduler(0, SCHED_FIFO, &lowest);
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
  std::unique_ptr<LiveConsumer> consumer(new LiveConsumer);
  Handle<ring_buffer, ring_buffer__free> ring(
      ring_buffer__new(ring_fd, copy_record, &consumer->copy_, nullptr));
  if (!ring) return Error{.action = "open the ring for its consumer", .error_number = errno};

  std::atomic<bool>& stop = consumer->stop_;
  consumer->thread_ = std::thread([&stop, cpu, ring = std::move(ring)] {
    // What it can't have, CPU or priority, it does without; what is lost then is counted.
    (void)stay_on_cpu(cpu);
    be_preferred();
    while (!stop) {
      ring_buffer__poll(ring.get(), kLookEveryMs);
      ring_buffer__consume(ring.get());
    }
  });
  return consumer;
}

LiveConsumer::~LiveConsumer() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void LiveConsumer::wait_for(std::uint64_t records) const {
  using namespace std::chrono;
  const auto give_up = steady_clock::now() + seconds(1);
  while (copy_.records.load(std::memory_order_relaxed) < records && steady_clock::now() < give_up)
    std::this_thread::sleep_for(microseconds(100));
}

}  // namespace nids::bench
