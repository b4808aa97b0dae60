// SPDX-License-Identifier: Apache-2.0
// Packet retention, alerts and the EVE log.
#include "nids/sum.hpp"
#include "report/counter_lists.hpp"
#include "report/totals.hpp"

namespace nids {
namespace {

Read not_sent(__u64 nids_sum::*part) {
  return [part](const StatsReport& report) {
    return Values{{report.counters.beyond_depth.*part, "beyond_depth"},
                  {report.counters.not_sampled.*part, "not_sampled"}};
  };
}

Read not_stored(__u64 nids_sum::*part) {
  return [part](const StatsReport& report) {
    const nids_agent_counters& a = report.agent_counters;
    return Values{{a.not_kept_by_policy.*part, "policy"},
                  {a.not_kept_by_error.*part, "error"},
                  {a.not_kept_by_overload.*part, "overload"}};
  };
}

Values by_severity(const StatsReport& report) {
  const auto* by = report.agent_counters.alerts_by_severity;
  return {{by[1], "1"}, {by[2], "2"}, {by[3], "3"}};
}

Values oldest(const StatsReport& report) {
  const std::uint64_t ns = report.agent_counters.store_oldest_wall_ns;
  return ns == 0 ? Values{} : Values{{ns}};
}

std::vector<Counter> packet_store() {
  return {
      {.json = "retained.packets",
       .metric = "stored",
       .unit = Unit::kPackets,
       .help = "Packets stored.",
       .read = agent(&nids_agent_counters::retained, kPacketsOf)},
      {.json = "retained.bytes",
       .metric = "stored",
       .unit = Unit::kBytes,
       .help = "Bytes of the packets stored.",
       .read = agent(&nids_agent_counters::retained, kBytesOf)},
      {.json = "retained.held",
       .metric = "pre_alert",
       .unit = Unit::kPackets,
       .kind = Kind::kGauge,
       .help = "Packets in memory that are stored if their flow raises an alert in time.",
       .read = agent(&nids_agent_counters::held, kPacketsOf)},
      {.metric = "pre_alert",
       .unit = Unit::kBytes,
       .kind = Kind::kGauge,
       .help = "Bytes of the packets in memory that are stored if their flow raises an alert in "
               "time.",
       .read = agent(&nids_agent_counters::held, kBytesOf)},
      {.json = "retained.not_kept_by_policy",
       .help = "Packets that were not stored or not sent by policy.",
       .read = one(not_kept_by_policy)},
      {.json = "retained.*",
       .metric = "not_sent",
       .unit = Unit::kPackets,
       .label = "reason",
       .help = "Packets that the kernel did not send to the agent by policy.",
       .read = not_sent(kPacketsOf)},
      {.metric = "not_sent",
       .unit = Unit::kBytes,
       .label = "reason",
       .help = "Bytes of the packets that the kernel did not send to the agent by policy.",
       .read = not_sent(kBytesOf)},
      {.json = "retained.not_analysed",
       .metric = "not_analysed",
       .unit = Unit::kPackets,
       .help = "Packets that --filter or --count left out of the analysis.",
       .read = agent(&nids_agent_counters::not_analysed, kPacketsOf)},
      {.json = "retained.not_analysed_bytes",
       .metric = "not_analysed",
       .unit = Unit::kBytes,
       .help = "Bytes of the packets that --filter or --count left out of the analysis.",
       .read = agent(&nids_agent_counters::not_analysed, kBytesOf)},
      {.json = "retained.lost_by_overload",
       .help = "Packets that were lost because a ring was full or the disk was too slow.",
       .read = one(lost_by_overload)},
      {.json = "retained.waiting",
       .help = "Packets stored that are not on the disk yet.",
       .read = one(
           [](const StatsReport& report) { return waiting_of(report.agent_counters).packets; })},
      {.json = "retained.lost_by_error",
       .help = "Packets that the disk refused.",
       .read = agent(&nids_agent_counters::not_kept_by_error, kPacketsOf)},
      {.metric = "not_stored",
       .unit = Unit::kPackets,
       .label = "reason",
       .help = "Packets that the agent did not store: by policy, because the disk refused them "
               "(error), or because the disk was too slow (overload).",
       .read = not_stored(kPacketsOf)},
      {.metric = "not_stored",
       .unit = Unit::kBytes,
       .label = "reason",
       .help = "Bytes of the packets that the agent did not store.",
       .read = not_stored(kBytesOf)},
      {.metric = "written",
       .unit = Unit::kPackets,
       .help = "Packets stored that are on the disk.",
       .read = agent(&nids_agent_counters::written, kPacketsOf)},
      {.metric = "written",
       .unit = Unit::kBytes,
       .help = "Bytes of the packets stored that are on the disk.",
       .read = agent(&nids_agent_counters::written, kBytesOf)},
      {.json = "retained.deleted_by_policy",
       .metric = "deleted",
       .unit = Unit::kPackets,
       .help = "Packets deleted for newer ones because the budget was used up.",
       .read = agent(&nids_agent_counters::deleted_by_policy, kPacketsOf)},
      {.metric = "deleted",
       .unit = Unit::kBytes,
       .help = "Bytes deleted for newer packets, files of earlier runs included.",
       .read = agent(&nids_agent_counters::deleted_by_policy, kBytesOf)},
      {.metric = "store_used",
       .unit = Unit::kBytes,
       .kind = Kind::kGauge,
       .help = "Size of the agent's packet files, the same for each of its interfaces.",
       .read = agent(&nids_agent_counters::store_bytes)},
      {.metric = "store_budget",
       .unit = Unit::kBytes,
       .kind = Kind::kGauge,
       .help = "Limit of the size of the agent's packet files, the same for each of its "
               "interfaces; 0: packets are not stored.",
       .read = agent(&nids_agent_counters::store_budget_bytes)},
      {.metric = "store_index",
       .unit = Unit::kBytes,
       .kind = Kind::kGauge,
       .help = "Size of the index of stored packets.",
       .read = agent(&nids_agent_counters::store_index_bytes)},
      {.metric = "store_oldest_packet_timestamp",
       .unit = Unit::kSeconds,
       .kind = Kind::kGauge,
       .help = "Time of the oldest packet that is stored, since 1970.",
       .read = oldest},
  };
}

std::vector<Counter> alerts_and_eve() {
  return {
      {.json = "alerts.total",
       .help = "Alerts of all severities.",
       .read = one([](const StatsReport& report) {
         const auto* by = report.agent_counters.alerts_by_severity;
         return by[1] + by[2] + by[3];
       })},
      {.json = "alerts.suppressed",
       .metric = "alerts_suppressed",
       .help = "Alerts that were suppressed because the same one had just been raised.",
       .read = agent(&nids_agent_counters::alerts_suppressed)},
      {.json = "alerts.not_indexed",
       .metric = "alerts_not_indexed",
       .help = "Alerts that are not in the index, so the command alerts does not show them.",
       .read = agent(&nids_agent_counters::alerts_not_indexed)},
      {.json = "alerts.deleted_by_policy",
       .metric = "alerts_deleted",
       .help = "Alerts deleted from the index for newer ones.",
       .read = agent(&nids_agent_counters::alerts_deleted)},
      {.json = "alerts.by_severity.*",
       .metric = "alerts",
       .label = "severity",
       .help = "Alerts by severity: 1 high to 3 low.",
       .read = by_severity},
      {.json = "alerts.eve_lines",
       .metric = "eve_lines",
       .help = "Lines written to the EVE log.",
       .read = agent(&nids_agent_counters::eve_lines)},
      {.json = "alerts.eve_lost",
       .metric = "eve_lines_lost",
       .help = "Lines that could not be written to the EVE log.",
       .read = agent(&nids_agent_counters::eve_lost)},
      {.json = "alerts.lines_lost",
       .metric = "terminal_lines_lost",
       .help =
           "Alerts and messages that were left out because the terminal did not take them in time.",
       .read = agent(&nids_agent_counters::lines_lost)},
      {.json = "alerts.eve_files_removed",
       .metric = "eve_files_removed",
       .help = "Old EVE files removed for newer ones.",
       .read = agent(&nids_agent_counters::eve_files_removed)},
  };
}

}  // namespace

std::vector<Counter> output_counters() {
  std::vector<Counter> list = packet_store();
  for (Counter& counter : alerts_and_eve()) list.push_back(std::move(counter));
  return list;
}

}  // namespace nids
