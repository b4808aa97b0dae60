// SPDX-License-Identifier: Apache-2.0
// The EVE log as an output: alerts, and flows if configured. The queue of EveWriter is
// bounded; a line that does not fit is lost and counted (eve_lost).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string_view>

#include "log/eve_writer.hpp"
#include "output/names.hpp"
#include "output/output.hpp"
#include "output/output_counters.hpp"

namespace nids {

class EveOutput final : public Output {
 public:
  // `names` and `counters` must outlive this.
  EveOutput(EveWriter writer, bool with_flows, const Names& names, const OutputCounters& counters)
      : writer_(std::move(writer)), with_flows_(with_flows), names_(names), counters_(counters) {}

  void on_alert(const AlertRecord& record) override;
  void on_flow(const FlowRecord& record, WallTime now) override;
  std::uint64_t degraded() const override;
  void finish(WallTime now) override;

  int pause_fd() const { return writer_.pause_fd(); }  // see EveWriter
  std::uint64_t end_bytes() const { return writer_.end_bytes(); }
  void take_file(int fd);  // takes ownership; later lines go to this file
  void keep_file();        // no new file is available; go on with this one
  // For shutdown, when only one thread is left: every call that writes, and finish(), may wait
  // until `deadline`. `meanwhile` is called after each line and while they wait.
  void wait_until(EveWriter::Clock::time_point deadline, std::function<void()> meanwhile);

 private:
  void write(std::string_view line, std::uint32_t ifindex);

  EveWriter writer_;
  const bool with_flows_;
  const Names& names_;
  const OutputCounters& counters_;
  std::function<void()> meanwhile_;
  std::atomic<bool> is_stuck_ = false;  // no other file could be opened
};

}  // namespace nids
