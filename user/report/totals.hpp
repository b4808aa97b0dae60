// SPDX-License-Identifier: Apache-2.0
// Sums over the counters that more than one report shows. Formats nothing.
#pragma once

#include <cstring>
#include <string>

#include "nids/sum.hpp"
#include "report/report.hpp"

namespace nids {

inline nids_sum seen_sum(const nids_counters& c) {
  return plus(c.seen[NIDS_INGRESS], c.seen[NIDS_EGRESS]);
}

// Packets that should have come up and found no room; exported flows stay in their slots.
inline std::uint64_t packets_lost(const nids_counters& c) {
  std::uint64_t lost = 0;
  for (int reason = 0; reason < NIDS_REASON_FLOW_EXPORT; ++reason)
    lost += c.ring_lost[reason].packets;
  return lost;
}

// Packets that were wanted on the disk, and came too fast for the ring or for who writes them.
inline std::uint64_t lost_by_overload(const StatsReport& report) {
  return packets_lost(report.counters) + report.agent_counters.not_kept_by_overload.packets;
}

inline std::uint64_t not_kept_by_policy(const StatsReport& report) {
  return report.agent_counters.not_kept_by_policy.packets + report.counters.beyond_depth.packets +
         report.counters.not_sampled.packets;
}

// What is in the ring now: counted there, or else what the other counts leave. The agent's count is
// read after the program's, so it may be ahead.
inline nids_sum ring_pending(const StatsReport& report) {
  if (report.pending) return *report.pending;
  const nids_sum gone = plus(ring_lost(report.counters), report.agent_counters.consumed);
  const nids_sum offered = report.counters.ring_offered;
  return {offered.packets > gone.packets ? offered.packets - gone.packets : 0,
          offered.bytes > gone.bytes ? offered.bytes - gone.bytes : 0};
}

// Records that nobody took and nobody will.
inline std::uint64_t unread_records(const StatsReport& report) {
  return report.is_final ? ring_pending(report).packets : 0;
}

inline std::uint64_t live_flows(const nids_counters& c) {
  return c.flows_created - c.flows_exported;
}

inline std::string class_name(const nids_class& one) {
  return {one.name, strnlen(one.name, sizeof(one.name))};
}

}  // namespace nids
