// SPDX-License-Identifier: Apache-2.0
// How the interface is attached, and the state of its agent. Only metrics have these counters:
// `status --json` shows the same, and `stats --json` does not.
#include "report/counter_lists.hpp"

namespace nids {
namespace {

Values attached(const StatsReport& report) {
  return report.since_ns == 0 ? Values{} : Values{{report.since_ns}};
}

Values heartbeat_age(const StatsReport& report) {
  const std::uint64_t last = report.agent_counters.heartbeat_ns;
  return last == 0 || report.now_ns < last ? Values{} : Values{{report.now_ns - last}};
}

Read flags(__u64 nids_agent_counters::*field,
           std::vector<std::pair<std::uint64_t, const char*>> names) {
  return [field, names = std::move(names)](const StatsReport& report) {
    Values values;
    for (const auto& [flag, name] : names)
      values.push_back({(report.agent_counters.*field & flag) != 0, name});
    return values;
  };
}

}  // namespace

std::vector<Counter> agent_counters() {
  return {
      {.metric = "interface_info",
       .kind = Kind::kGauge,
       .label = "mode",
       .help = "Always 1; the label is how the interface is watched: native, skb or tc.",
       .read =
           [](const StatsReport& report) {
             return Values{{1, report.mode}};
           }},
      {.metric = "attached_timestamp",
       .unit = Unit::kSeconds,
       .kind = Kind::kGauge,
       .help = "Time when the programs were attached, since 1970.",
       .read = attached},
      {.metric = "agent_running",
       .kind = Kind::kGauge,
       .help = "1 if an agent runs, else 0: packets are counted, not analysed.",
       .read = one([](const StatsReport& report) { return report.agent; })},
      {.metric = "agent_heartbeat_age",
       .unit = Unit::kSeconds,
       .kind = Kind::kGauge,
       .help = "Time since the agent's last housekeeping, which is due four times a second.",
       .read = heartbeat_age},
      {.metric = "agent_restarts",
       .help = "Restarts of the agent after it ended by itself or did not answer.",
       .read = agent(&nids_agent_counters::restarts)},
      {.metric = "agent_degraded",
       .kind = Kind::kGauge,
       .label = "reason",
       .help = "1 while an output fails, else 0: the EVE log, its rotation, packet retention, its "
               "index, the IPFIX collector.",
       .read = flags(&nids_agent_counters::degraded, {{NIDS_DEGRADED_EVE, "eve"},
                                                      {NIDS_DEGRADED_EVE_FILE, "eve_file"},
                                                      {NIDS_DEGRADED_RETAIN, "retain"},
                                                      {NIDS_DEGRADED_INDEX, "index"},
                                                      {NIDS_DEGRADED_IPFIX, "ipfix"}})},
      {.metric = "agent_confined",
       .kind = Kind::kGauge,
       .label = "by",
       .help = "1 if the agent is confined by seccomp (system_calls) and Landlock (files), else 0.",
       .read = flags(&nids_agent_counters::confinement,
                     {{NIDS_CONFINED_CALLS, "system_calls"}, {NIDS_CONFINED_FILES, "files"}})},
  };
}

}  // namespace nids
