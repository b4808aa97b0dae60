// SPDX-License-Identifier: Apache-2.0
// The ledger: seen = live + exported + unaccounted + no_flow.
#include "report/counter_lists.hpp"
#include "report/totals.hpp"

namespace nids {

std::vector<Counter> ledger_counters() {
  return {
      {.json = "ledger.seen",
       .help = "Packets seen, of both directions.",
       .read = one([](const StatsReport& report) { return seen_sum(report.counters).packets; })},
      {.json = "ledger.live",
       .metric = "ledger_live",
       .unit = Unit::kPackets,
       .kind = Kind::kGauge,
       .help = "Packets counted in the kernel's flow tables now.",
       .read = kernel(&nids_counters::live, kPacketsOf)},
      {.json = "ledger.exported",
       .metric = "ledger_exported",
       .unit = Unit::kPackets,
       .help = "Packets of flows that left the kernel's flow tables.",
       .read = kernel(&nids_counters::exported, kPacketsOf)},
      {.json = "ledger.unaccounted",
       .metric = "ledger_unaccounted",
       .unit = Unit::kPackets,
       .help = "Packets without a flow because they got no slot: overload.",
       .read = kernel(&nids_counters::unaccounted, kPacketsOf)},
      {.json = "ledger.no_flow",
       .metric = "ledger_no_flow",
       .unit = Unit::kPackets,
       .help = "Packets that belong to no flow by nature.",
       .read = kernel(&nids_counters::no_flow, kPacketsOf)},
      {.json = "ledger.seen_bytes",
       .help = "Bytes of the packets seen, of both directions.",
       .read = one([](const StatsReport& report) { return seen_sum(report.counters).bytes; })},
      {.json = "ledger.live_bytes",
       .metric = "ledger_live",
       .unit = Unit::kBytes,
       .kind = Kind::kGauge,
       .help = "Bytes counted in the kernel's flow tables now.",
       .read = kernel(&nids_counters::live, kBytesOf)},
      {.json = "ledger.exported_bytes",
       .metric = "ledger_exported",
       .unit = Unit::kBytes,
       .help = "Bytes of flows that left the kernel's flow tables.",
       .read = kernel(&nids_counters::exported, kBytesOf)},
      {.json = "ledger.unaccounted_bytes",
       .metric = "ledger_unaccounted",
       .unit = Unit::kBytes,
       .help = "Bytes of packets without a flow because they got no slot: overload.",
       .read = kernel(&nids_counters::unaccounted, kBytesOf)},
      {.json = "ledger.no_flow_bytes",
       .metric = "ledger_no_flow",
       .unit = Unit::kBytes,
       .help = "Bytes of packets that belong to no flow by nature.",
       .read = kernel(&nids_counters::no_flow, kBytesOf)},
      {.metric = "ledger_balanced",
       .kind = Kind::kGauge,
       .help = "0 if the counters do not add up, else 1, also if that could not be checked.",
       .read = one([](const StatsReport& report) { return is_balanced(report).value_or(true); })},
  };
}

}  // namespace nids
