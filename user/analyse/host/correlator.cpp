// SPDX-License-Identifier: Apache-2.0
#include "analyse/host/correlator.hpp"

#include <algorithm>
#include <iterator>
#include <system_error>
#include <utility>

namespace nids {

Correlator::Correlator(std::vector<std::unique_ptr<HostAnalyser>> analysers, std::size_t workers,
                       Limits limits)
    : analysers_(std::move(analysers)), limits_(limits), queues_(workers) {}

Correlator::~Correlator() { finish(); }

bool Correlator::start_thread() {
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error&) {
    return false;
  }
  return true;
}

bool Correlator::offer(std::size_t worker, HostBatch& batch) {
  const bool is_inline = !thread_.joinable();
  {
    const std::lock_guard lock(mutex_);
    std::deque<HostBatch>& queue = queues_[worker];
    if (queue.size() >= limits_.batches) return false;
    HostBatch empty;
    if (!spare_.empty()) {
      empty.events = std::move(spare_.back());
      spare_.pop_back();
    }
    queue.push_back(std::exchange(batch, std::move(empty)));
  }
  if (is_inline) {
    const std::lock_guard lock(inline_mutex_);
    for (auto tick = next_tick(false); !tick.empty(); tick = next_tick(false))
      work_off(std::move(tick));
  } else {
    changed_.notify_one();
  }
  return true;
}

void Correlator::finish() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
  for (auto tick = next_tick(true); !tick.empty(); tick = next_tick(true))
    work_off(std::move(tick));
}

std::vector<HostBatch> Correlator::next_tick(bool is_last) {
  const std::lock_guard lock(mutex_);
  std::uint64_t first = ~0ull;
  for (const auto& queue : queues_) {
    if (queue.empty() && !is_last) return {};
    if (!queue.empty()) first = std::min(first, queue.front().tick);
  }
  std::vector<HostBatch> batches;
  for (auto& queue : queues_)
    if (!queue.empty() && queue.front().tick == first) {
      batches.push_back(std::move(queue.front()));
      queue.pop_front();
    }
  return batches;
}

void Correlator::work_off(std::vector<HostBatch> batches) {
  std::vector<HostEvent> events = std::move(batches.front().events);
  WallTime now = batches.front().now;
  for (std::size_t i = 1; i < batches.size(); ++i) {
    std::move(batches[i].events.begin(), batches[i].events.end(), std::back_inserter(events));
    now = std::max(now, batches[i].now);
  }
  std::sort(events.begin(), events.end(),
            [](const HostEvent& a, const HostEvent& b) { return a.key < b.key; });
  std::vector<Alert> alerts;
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (i + 1 < events.size() && events[i + 1].key == events[i].key) {
      events[i + 1].add(events[i]);
      continue;
    }
    for (const auto& one : analysers_) one->on_event(events[i], now, alerts);
  }
  std::uint64_t evictions = 0;
  for (const auto& one : analysers_) {
    one->on_tick(now, alerts);
    evictions += one->evictions();
  }
  events.clear();
  const std::lock_guard lock(mutex_);
  if (spare_.size() < queues_.size()) spare_.push_back(std::move(events));
  counts_.evictions = evictions;
  for (Alert& alert : alerts) {
    if (alerts_.size() < limits_.alerts)
      alerts_.push_back(std::move(alert));
    else
      ++counts_.alerts_lost;
  }
}

void Correlator::run() {
  for (;;) {
    auto tick = next_tick(false);
    if (!tick.empty()) {
      work_off(std::move(tick));
      continue;
    }
    std::unique_lock lock(mutex_);
    const auto is_complete = [&] {
      return std::ranges::none_of(queues_, [](const auto& one) { return one.empty(); });
    };
    changed_.wait(lock, [&] { return is_ending_ || is_complete(); });
    if (is_ending_ && !is_complete()) return;
  }
}

std::vector<Alert> Correlator::take_alerts() {
  const std::lock_guard lock(mutex_);
  return std::exchange(alerts_, {});
}

Correlator::Counts Correlator::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace nids
