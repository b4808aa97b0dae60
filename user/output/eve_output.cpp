// SPDX-License-Identifier: Apache-2.0
#include "output/eve_output.hpp"

#include <utility>

#include "log/eve_flow.hpp"

namespace nids {

void EveOutput::write(std::string_view line, std::uint32_t ifindex) {
  if (nids_agent_counters* counters = counters_.of(ifindex)) writer_.write(line, *counters);
  if (meanwhile_) meanwhile_();
}

void EveOutput::on_alert(const AlertRecord& record) {
  write(record.raised.eve->line(record.evidence), record.raised.alert.ifindex);
}

void EveOutput::on_flow(const FlowRecord& record, WallTime now) {
  if (!with_flows_) return;
  write(eve_flow_line(record, names_.class_name(record.class_id), names_.link(record.ifindex), now),
        record.ifindex);
}

std::uint64_t EveOutput::degraded() const {
  return (writer_.degraded() ? NIDS_DEGRADED_EVE : 0u) | (is_stuck_ ? NIDS_DEGRADED_EVE_FILE : 0u);
}

void EveOutput::finish(WallTime) { writer_.finish(); }

void EveOutput::take_file(int fd) {
  writer_.replace(fd);
  is_stuck_ = false;
}

void EveOutput::keep_file() {
  is_stuck_ = true;
  writer_.keep_file();
}

void EveOutput::wait_until(EveWriter::Clock::time_point deadline, std::function<void()> meanwhile) {
  meanwhile_ = std::move(meanwhile);
  writer_.wait_until(deadline, meanwhile_);
}

}  // namespace nids
