// SPDX-License-Identifier: Apache-2.0
// What the first pass counts of each packet.
#include "report/counter_lists.hpp"
#include "report/keys.hpp"
#include "report/totals.hpp"

namespace nids {
namespace {

Read seen(__u64 nids_sum::*part) {
  return [part](const StatsReport& report) {
    return Values{{report.counters.seen[NIDS_INGRESS].*part, "ingress"},
                  {report.counters.seen[NIDS_EGRESS].*part, "egress"}};
  };
}

// Index 0 means no tunnel and is not counted.
Values tunnels(const StatsReport& report) {
  Values values;
  for (std::size_t i = NIDS_TUNNEL_NONE + 1; i < kTunnelKeys.size(); ++i)
    values.push_back({report.counters.tunnel[i], kTunnelKeys[i]});
  return values;
}

// One value for each class in use.
Read classes(std::function<std::uint64_t(const nids_class_sum&)> field) {
  return [field = std::move(field)](const StatsReport& report) {
    Values values;
    for (std::size_t i = 1; i < report.classes.size() && i < NIDS_CLASS_MAX; ++i)
      if (std::string name = class_name(report.classes[i]); !name.empty())
        values.push_back({field(report.counters.classes[i]), std::move(name)});
    return values;
  };
}

// Lost packets may have no class: index 0.
Read classes_and_none(__u64 nids_sum::*part) {
  return [part](const StatsReport& report) {
    Values values = classes([part](const nids_class_sum& sum) { return sum.lost.*part; })(report);
    values.push_back({report.counters.classes[0].lost.*part});
    return values;
  };
}

}  // namespace

std::vector<Counter> packet_counters() {
  return {
      {.json = "*.packets",
       .metric = "seen",
       .unit = Unit::kPackets,
       .label = "direction",
       .help = "Packets on the wire.",
       .read = seen(kPacketsOf)},
      {.json = "*.bytes",
       .metric = "seen",
       .unit = Unit::kBytes,
       .label = "direction",
       .help = "Bytes of packets on the wire, with the link header.",
       .read = seen(kBytesOf)},
      {.json = "parse.*",
       .metric = "parse_result",
       .unit = Unit::kPackets,
       .label = "result",
       .help = "Packets by the result of parsing, one for each packet seen.",
       .read = kernel(&nids_counters::parse, kParseResultKeys)},
      {.json = "network.*",
       .metric = "network",
       .unit = Unit::kPackets,
       .label = "network",
       .help = "Packets by the outermost network protocol.",
       .read = kernel(&nids_counters::network, kNetworkKeys)},
      {.json = "transport.*",
       .metric = "transport",
       .unit = Unit::kPackets,
       .label = "transport",
       .help = "Packets by the protocol that the outermost IP header carries.",
       .read = kernel(&nids_counters::transport, kTransportKeys)},
      {.json = "classes.*.flows",
       .metric = "class",
       .unit = Unit::kFlows,
       .label = "class",
       .help = "Flows of a protocol class that the client's side opened.",
       .read = classes([](const nids_class_sum& sum) { return sum.flows; })},
      {.json = "classes.*.packets",
       .metric = "class",
       .unit = Unit::kPackets,
       .label = "class",
       .help = "Packets of a protocol class, of both directions.",
       .read = classes([](const nids_class_sum& sum) { return sum.packets; })},
      {.json = "classes.*.bytes",
       .metric = "class",
       .unit = Unit::kBytes,
       .label = "class",
       .help = "Bytes of the packets of a protocol class, of both directions.",
       .read = classes([](const nids_class_sum& sum) { return sum.bytes; })},
      {.json = "classes.*.lost",
       .metric = "class_lost",
       .unit = Unit::kPackets,
       .label = "class",
       .help = "Packets of a class that the agent did not get because the ring was full; without "
               "the label: packets of no class.",
       .read = classes_and_none(kPacketsOf)},
      {.json = "classes.*.lost_bytes",
       .metric = "class_lost",
       .unit = Unit::kBytes,
       .label = "class",
       .help = "Bytes of the packets of a class that the agent did not get because the ring was "
               "full; without the label: packets of no class.",
       .read = classes_and_none(kBytesOf)},
      {.json = "tunnels.*",
       .metric = "tunnel",
       .unit = Unit::kPackets,
       .label = "tunnel",
       .help = "Packets in a tunnel, by its kind.",
       .read = tunnels},
      {.json = "findings.*",
       .metric = "finding",
       .unit = Unit::kPackets,
       .label = "finding",
       .help = "Packets with a finding; a packet may have several.",
       .read = kernel(&nids_counters::findings, kFindingKeys)},
      {.json = "verdict.pass",
       .help = "Packets that were passed on.",
       .read = one([](const StatsReport& report) {
         return seen_sum(report.counters).packets - report.counters.dropped.packets;
       })},
      {.json = "verdict.drop",
       .help = "Packets that were dropped.",
       .read = kernel(&nids_counters::dropped, kPacketsOf)},
  };
}

}  // namespace nids
