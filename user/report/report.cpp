// SPDX-License-Identifier: Apache-2.0
#include "report/report.hpp"

#include <cstring>

#include "kernel/attachment.hpp"
#include "nids/time.hpp"
#include "report/totals.hpp"

namespace nids {

StatsReport report_of(const KernelReading& reading) {
  const nids_info& info = reading.info;
  return {.interface = {info.ifname, strnlen(info.ifname, sizeof(info.ifname))},
          .mode = mode_name(info.mode),
          .since_ns = info.attached_wall_ns,
          .now_ns = monotonic_now().ns,
          .counters = reading.counters,
          .agent_counters = reading.agent,
          .classes = reading.classes,
          .slots = std::uint64_t{info.cpus} * (info.sets4_per_cpu + info.sets6_per_cpu) * NIDS_WAYS,
          .pending = reading.pending};
}

std::optional<bool> is_balanced(const StatsReport& report) {
  const nids_counters& c = report.counters;
  const nids_sum seen = seen_sum(c);
  const nids_sum found = plus(plus(c.live, c.exported), plus(c.unaccounted, c.no_flow));
  if (seen.packets != found.packets || seen.bytes != found.bytes || !report.scan_agrees)
    return false;
  return are_records_accounted(c, report.agent_counters, report.pending);
}

bool has_losses(const StatsReport& report) {
  const nids_agent_counters& a = report.agent_counters;
  return ring_lost(report.counters).packets != 0 || a.not_kept_by_error.packets != 0 ||
         a.not_kept_by_overload.packets != 0 || a.eve_lost != 0 || a.ipfix_lost != 0 ||
         a.invalid_records != 0 || a.host_flows_lost != 0 || a.host_alerts_lost != 0 ||
         report.counters.unaccounted.packets != 0 || unread_records(report) != 0;
}

}  // namespace nids
