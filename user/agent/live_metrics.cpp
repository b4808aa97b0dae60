// SPDX-License-Identifier: Apache-2.0
#include "agent/live_metrics.hpp"

#include "report/metrics.hpp"

namespace nids {

std::string live_metrics(const std::vector<MeteredInterface>& interfaces,
                         const MeteredClasses& classes) {
  std::vector<StatsReport> reports;
  for (const MeteredInterface& one : interfaces) {
    KernelReading reading = one.first;
    reading.counters = read_counters(one.blocks);
    reading.agent = read_counters(one.agent.values());
    if (reading.agent.pid == 0) continue;  // the parent gave the interface up
    reading.classes = classes.get();
    reading.pending.reset();
    reports.push_back(report_of(reading));
    reports.back().interface = one.name;
    reports.back().agent = true;
  }
  return metrics_text(reports);
}

}  // namespace nids
