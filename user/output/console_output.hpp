// SPDX-License-Identifier: Apache-2.0
// The terminal as an output: alerts as lines for people. A line that is not read in time is lost;
// the pipe to the parent counts it (lines_lost).
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>

#include "output/output.hpp"
#include "output/output_counters.hpp"

namespace nids {

class ConsoleOutput final : public Output {
 public:
  using Print = std::function<void(const Alert&)>;
  using Lost = std::function<std::uint64_t()>;  // number of lines so far, warnings included

  // Either function may be null. `counters` must outlive this.
  ConsoleOutput(Print print, Lost lost, const OutputCounters& counters)
      : print_(std::move(print)), lost_(std::move(lost)), counters_(counters) {}

  void on_alert(const AlertRecord& record) override {
    const std::lock_guard lock(mutex_);
    if (print_) print_(record.raised.alert);
  }
  std::uint64_t degraded() const override { return 0; }
  void flush(WallTime) override {
    const auto blocks = counters_.attached_first();
    if (!lost_ || blocks.empty()) return;
    const std::lock_guard lock(mutex_);
    const std::uint64_t lost = lost_();
    blocks.front()->lines_lost += lost - std::exchange(counted_, lost);
  }
  void finish(WallTime now) override { flush(now); }

 private:
  std::mutex mutex_;
  Print print_;
  Lost lost_;
  std::uint64_t counted_ = 0;
  const OutputCounters& counters_;
};

}  // namespace nids
