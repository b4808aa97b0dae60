// SPDX-License-Identifier: Apache-2.0
// The rings between the kernel and the agent.
#include "nids/sum.hpp"
#include "report/counter_lists.hpp"
#include "report/keys.hpp"
#include "report/totals.hpp"

namespace nids {
namespace {

Read lost_by_reason(__u64 nids_sum::*part) {
  return [part](const StatsReport& report) {
    Values values;
    for (std::size_t i = 0; i < kReasonKeys.size(); ++i)
      values.push_back({report.counters.ring_lost[i].*part, kReasonKeys[i]});
    return values;
  };
}

}  // namespace

std::vector<Counter> ring_counters() {
  return {
      {.json = "ring.offered",
       .metric = "ring_offered",
       .unit = Unit::kRecords,
       .help = "Records that the kernel had to send to the agent.",
       .read = kernel(&nids_counters::ring_offered, kPacketsOf)},
      {.json = "ring.consumed",
       .metric = "ring_consumed",
       .unit = Unit::kRecords,
       .help = "Records that the agent read.",
       .read = agent(&nids_agent_counters::consumed, kPacketsOf)},
      {.json = "ring.lost",
       .help = "Records that were lost: of each reason, and those of packets that could not be "
               "read.",
       .read = one([](const StatsReport& report) { return ring_lost(report.counters).packets; })},
      {.json = "ring.pending",
       .metric = "ring_pending",
       .unit = Unit::kRecords,
       .kind = Kind::kGauge,
       .help = "Records that wait for the agent.",
       .read = one([](const StatsReport& report) { return ring_pending(report).packets; })},
      {.json = "ring.offered_bytes",
       .metric = "ring_offered",
       .unit = Unit::kBytes,
       .help = "Bytes of the records that the kernel had to send to the agent.",
       .read = kernel(&nids_counters::ring_offered, kBytesOf)},
      {.json = "ring.consumed_bytes",
       .metric = "ring_consumed",
       .unit = Unit::kBytes,
       .help = "Bytes of the records that the agent read.",
       .read = agent(&nids_agent_counters::consumed, kBytesOf)},
      {.json = "ring.lost_bytes",
       .help = "Bytes of the records that were lost.",
       .read = one([](const StatsReport& report) { return ring_lost(report.counters).bytes; })},
      {.json = "ring.pending_bytes",
       .metric = "ring_pending",
       .unit = Unit::kBytes,
       .kind = Kind::kGauge,
       .help = "Bytes of the records that wait for the agent.",
       .read = one([](const StatsReport& report) { return ring_pending(report).bytes; })},
      {.json = "ring.invalid",
       .metric = "ring_invalid",
       .unit = Unit::kRecords,
       .help = "Records that the agent read and rejected as invalid.",
       .read = agent(&nids_agent_counters::invalid_records)},
      {.json = "ring.lost_by_reason.*.packets",
       .metric = "ring_lost",
       .unit = Unit::kRecords,
       .label = "reason",
       .help = "Records that were lost because a ring was full, by the reason to send them.",
       .read = lost_by_reason(kPacketsOf)},
      {.json = "ring.lost_by_reason.*.bytes",
       .metric = "ring_lost",
       .unit = Unit::kBytes,
       .label = "reason",
       .help = "Bytes of the records that were lost because a ring was full.",
       .read = lost_by_reason(kBytesOf)},
      {.json = "ring.copy_failed",
       .metric = "ring_copy_failed",
       .unit = Unit::kRecords,
       .help = "Records that were lost because the packet could not be read.",
       .read = kernel(&nids_counters::copy_failed, kPacketsOf)},
      {.metric = "ring_copy_failed",
       .unit = Unit::kBytes,
       .help = "Bytes of the records that were lost because the packet could not be read.",
       .read = kernel(&nids_counters::copy_failed, kBytesOf)},
      {.json = "ring.first_packets_withheld",
       .metric = "ring_withheld_first",
       .unit = Unit::kPackets,
       .help =
           "First packets of flows that were lost because the last quarter of a ring is reserved "
           "for other packets; counted as lost records too.",
       .read = kernel(&nids_counters::first_packets_withheld)},
  };
}

}  // namespace nids
