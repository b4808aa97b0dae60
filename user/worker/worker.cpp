// SPDX-License-Identifier: Apache-2.0
#include "worker/worker.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <limits>
#include <memory>
#include <system_error>
#include <utility>

namespace nids {
namespace {

// If the kernel forces no wake-up, a record waits this long at most and half of it on average.
constexpr int kLookEvery_ms = 20;
constexpr auto kHousekeepingEvery = std::chrono::milliseconds(250);
// A part of a scan may keep the worker from its rings for kPartMayTake. The worker reads the clock
// after so many slots or flows, because a changed slot or a report takes some microseconds.
constexpr auto kPartMayTake = std::chrono::microseconds(500);
constexpr std::size_t kSlotsAtOnce = 64, kFlowsAtOnce = 16;

std::int64_t clock_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// Does `work` in steps: at most `count` units, for about kPartMayTake. Returns whether `work` is
// complete.
template <class Work>
bool do_part(std::size_t count, std::size_t at_once, Work work) {
  const auto end = std::chrono::steady_clock::now() + kPartMayTake;
  do {
    if (work(std::min(count, at_once))) return true;
    count -= std::min(count, at_once);
  } while (count != 0 && std::chrono::steady_clock::now() < end);
  return false;
}

// On a busy host the thread may wait for a CPU between two readings, so the closest readings are
// used.
ClockOffset read_clock_offset() {
  std::int64_t closest_ns = std::numeric_limits<std::int64_t>::max();
  ClockOffset offset{};
  for (int i = 0; i < 3; ++i) {
    const std::int64_t before_ns = clock_ns(CLOCK_MONOTONIC);
    const std::int64_t wall_ns = clock_ns(CLOCK_REALTIME);
    const std::int64_t apart_ns = clock_ns(CLOCK_MONOTONIC) - before_ns;
    if (apart_ns >= closest_ns) continue;
    closest_ns = apart_ns;
    offset = {wall_ns - before_ns - apart_ns / 2};
  }
  return offset;
}

}  // namespace

Worker::Worker(const std::vector<Source>& sources, const TickSample& ticks, Pipeline& pipeline)
    : sources_(sources),
      ticks_(ticks),
      pipeline_(pipeline),
      clock_(read_clock_offset()),
      scans_([this](std::size_t slots) { return look(slots); },
             [this](std::size_t flows) { return report(flows); }),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  pipeline_.set_clock(clock_);
}

Worker::~Worker() {
  ask_end(std::chrono::steady_clock::now());
  join();
}

Result<std::unique_ptr<Worker>> Worker::make(const std::vector<Source>& sources,
                                             const TickSample& ticks, Pipeline& pipeline) {
  std::unique_ptr<Worker> worker(new Worker(sources, ticks, pipeline));
  for (const Source& one : sources) {
    pipeline.watch(one.tables, *one.counters);
    auto added = worker->rings_.add(one.ring_fd,
                                    [self = worker.get(), counters = one.counters](auto record) {
                                      self->pipeline_.record(record, self->clock_, *counters);
                                    });
    if (!added) return added.error();
  }
  for (const int fd : {worker->rings_.fd(), worker->wake_.get()}) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    if (epoll_ctl(worker->epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
      return Error{.action = "wait for records", .error_number = errno};
  }
  return worker;
}

Result<void> Worker::start() {
  has_ended_ = false;
  try {
    thread_ = std::thread([this] {
      run();
      has_ended_ = true;
    });
  } catch (const std::system_error& error) {
    has_ended_ = true;
    return Error{.action = "start a worker", .error_number = error.code().value()};
  }
  return {};
}

void Worker::ask_end(std::chrono::steady_clock::time_point deadline) {
  deadline_ = deadline;
  is_ending_ = true;
  eventfd_write(wake_.get(), 1);
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

TickClock Worker::tick_clock() const {
  const MonoTime now{static_cast<std::uint64_t>(clock_ns(CLOCK_MONOTONIC))};
  return {.now_ticks = ticks_.ticks_at(now), .tick_ns = ticks_.tick_ns, .now = clock_.wall(now)};
}

bool Worker::look(std::size_t slots) {
  const TickClock clock = tick_clock();
  return do_part(slots, kSlotsAtOnce,
                 [&](std::size_t some) { return pipeline_.scan_some(clock, some); });
}

bool Worker::report(std::size_t flows) {
  return do_part(flows, kFlowsAtOnce,
                 [&](std::size_t some) { return pipeline_.report_some(some); });
}

void Worker::housekeeping() {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_housekeeping_) return;
  next_housekeeping_ = now + kHousekeepingEvery;
  clock_ = read_clock_offset();
  pipeline_.set_clock(clock_);
  pipeline_.count();
  const std::chrono::nanoseconds sweep = scans_.last_sweep();
  for (const Source& one : sources_)
    one.counters->sweep_ns = static_cast<std::uint64_t>(sweep.count());
}

// At the end the programs are usually detached, so the rings become empty. If the parent was
// killed, the programs still fill the rings, so the last drain has a deadline.
void Worker::run() {
  for (int wait_ms = 0;;) {
    std::array<epoll_event, 2> events;
    if (epoll_wait(epoll_.get(), events.data(), events.size(), wait_ms) < 0 && errno != EINTR) {
      error_ = Error{.action = "wait for records", .error_number = errno};
      return;
    }
    const std::lock_guard lock(mutex_);
    const bool is_ending = is_ending_;
    const auto taken = rings_.consume();
    if (!taken) {
      error_ = taken.error();
      return;
    }
    has_more_ = *taken;
    housekeeping();
    scans_.go_on(*taken);
    pipeline_.tick(tick_clock().now);
    ++rounds_;
    if (!*taken) last_emptying_round_ = rounds_.load();
    wait_ms = *taken || scans_.is_under_way() ? 0 : kLookEvery_ms;
    if (is_ending && (!*taken || std::chrono::steady_clock::now() >= deadline_.load())) return;
  }
}

}  // namespace nids
