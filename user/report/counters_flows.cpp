// SPDX-License-Identifier: Apache-2.0
// The flow tables of the kernel and of the agent, host analysers, and flow records.
#include "report/counter_lists.hpp"
#include "report/totals.hpp"

namespace nids {
namespace {

Values sweep_time(const StatsReport& report) {
  const std::uint64_t sweep_ns = report.agent_counters.sweep_ns;
  return sweep_ns == 0 ? Values{} : Values{{sweep_ns}};
}

}  // namespace

std::vector<Counter> flow_counters() {
  return {
      {.json = "flow_table.slots",
       .metric = "flow_table_slots",
       .kind = Kind::kGauge,
       .help = "Slots in the kernel's flow tables.",
       .read = one([](const StatsReport& report) { return report.slots; })},
      {.json = "flow_table.live",
       .metric = "flow_table",
       .unit = Unit::kFlows,
       .kind = Kind::kGauge,
       .help = "Slots of the kernel's flow tables that are in use.",
       .read = one([](const StatsReport& report) { return live_flows(report.counters); })},
      {.json = "flow_table.created",
       .metric = "flows_created",
       .help = "Flows that got a slot in the kernel's flow tables.",
       .read = kernel(&nids_counters::flows_created)},
      {.json = "flow_table.exported",
       .metric = "flows_exported",
       .help = "Flows that left the kernel's flow tables.",
       .read = kernel(&nids_counters::flows_exported)},
      {.json = "flow_table.cells_replaced",
       .metric = "shared_state_evictions",
       .help =
           "Flows whose shared state (originator, order of events) was evicted for another flow.",
       .read = kernel(&nids_counters::cells_replaced)},
      {.json = "flow_table.fragments_replaced",
       .metric = "datagram_evictions",
       .help = "Fragmented datagrams that were evicted for others before their time.",
       .read = kernel(&nids_counters::fragments_replaced)},
      {.json = "flow_table.gso_headers_unknown",
       .metric = "gso_headers_unknown",
       .unit = Unit::kPackets,
       .help = "Packets of GSO frames that were counted without the bytes of the headers that each "
               "repeats.",
       .read = kernel(&nids_counters::gso_headers_unknown)},
      {.json = "flow_table.commands",
       .metric = "flow_commands",
       .help = "Commands of the agent that changed what the kernel sends of a flow.",
       .read = agent(&nids_agent_counters::commands)},
      {.json = "flow_table.sweep_ns",
       .metric = "flow_table_sweep",
       .unit = Unit::kSeconds,
       .kind = Kind::kGauge,
       .help = "Duration of the agent's last complete scan of the kernel's flow tables: the "
               "longest of all workers.",
       .read = sweep_time},
      {.json = "agent_table.flows",
       .metric = "agent_table",
       .unit = Unit::kFlows,
       .kind = Kind::kGauge,
       .help = "Flows in the agent's table, of all its interfaces, as of the last packet of this "
               "one.",
       .read = agent(&nids_agent_counters::flows_tracked)},
      {.json = "agent_table.flows_evicted",
       .metric = "agent_table_evictions",
       .help = "Flows that left the agent's table because it was full.",
       .read = agent(&nids_agent_counters::flows_evicted)},
      {.json = "agent_table.suppressions_evicted",
       .metric = "suppression_evictions",
       .help =
           "Suppressions that were evicted before their time, so an alert may have been repeated.",
       .read = agent(&nids_agent_counters::suppressions_evicted)},
      {.json = "agent_table.slots_waiting",
       .metric = "slots_deferred",
       .kind = Kind::kGauge,
       .help = "Slots that the last scan of the flow tables could not read; the next one does.",
       .read = agent(&nids_agent_counters::slots_waiting)},
      {.json = "hosts.flows_merged",
       .metric = "hosts_merged",
       .unit = Unit::kFlows,
       .help =
           "Flows that host analysers got by source only, because the table of a tick was full.",
       .read = agent(&nids_agent_counters::host_flows_merged)},
      {.json = "hosts.flows_lost",
       .metric = "hosts_lost",
       .unit = Unit::kFlows,
       .help = "Flows that host analysers did not get, because the table of a tick was full.",
       .read = agent(&nids_agent_counters::host_flows_lost)},
      {.json = "hosts.alerts_lost",
       .metric = "host_alerts_lost",
       .help = "Alerts of host analysers that were lost because too many waited.",
       .read = agent(&nids_agent_counters::host_alerts_lost)},
      {.json = "hosts.evictions",
       .metric = "host_evictions",
       .help = "Pairs of hosts that host analysers evicted because their tables were full.",
       .read = agent(&nids_agent_counters::host_evictions)},
      {.json = "flow_records.told",
       .metric = "flow_records",
       .help = "Flow records for EVE and IPFIX.",
       .read = agent(&nids_agent_counters::flow_records)},
      {.json = "flow_records.ipfix_sent",
       .metric = "ipfix_sent",
       .unit = Unit::kRecords,
       .kind = Kind::kGauge,  // falls when the network reports a loss later
       .help = "Flow records sent by IPFIX, less those that turned out to be lost.",
       .read = agent(&nids_agent_counters::ipfix_sent)},
      {.json = "flow_records.ipfix_lost",
       .metric = "ipfix_lost",
       .unit = Unit::kRecords,
       .help = "Flow records that the IPFIX collector did not get.",
       .read = agent(&nids_agent_counters::ipfix_lost)},
  };
}

}  // namespace nids
