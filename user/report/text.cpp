// SPDX-License-Identifier: Apache-2.0
#include <spdlog/fmt/fmt.h>

#include <span>

#include "decode/printable.hpp"
#include "report/keys.hpp"
#include "report/report.hpp"
#include "report/totals.hpp"

namespace nids {
namespace {

// The word for so many; in a column, a blank stands for the missing s.
std::string unit(std::uint64_t count, const char* word, bool in_column = false) {
  return std::string(word) + (count != 1 ? "s" : in_column ? " " : "");
}

std::string counted(std::uint64_t count, const char* word) {
  return std::to_string(count) + " " + unit(count, word);
}

std::string amount(const char* name, const nids_sum& sum) {
  return fmt::format("  {:<22}{:>14} {} {:>16} {}\n", name, sum.packets,
                     unit(sum.packets, "packet", true), sum.bytes, unit(sum.bytes, "byte"));
}

std::string counters_line(const char* name, const std::string& list) {
  return list.empty() ? std::string{} : fmt::format("  {:<10}{}\n", name, list);
}

void append_count(std::string& list, const char* name, std::uint64_t count) {
  if (count != 0) list += fmt::format("{}{} {}", list.empty() ? "" : ", ", name, count);
}

std::string counts_list(std::span<const __u64> counts, std::span<const char* const> keys) {
  std::string list;
  for (std::size_t i = 0; i < keys.size(); ++i) append_count(list, keys[i], counts[i]);
  return list;
}

std::string findings_list(const nids_counters& c) { return counts_list(c.findings, kFindingKeys); }

std::string headers_text(const nids_counters& c) {
  return counters_line("parse", counts_list(c.parse, kParseResultKeys)) +
         counters_line("network", counts_list(c.network, kNetworkKeys)) +
         counters_line("transport", counts_list(c.transport, kTransportKeys)) +
         counters_line("tunnel", counts_list(c.tunnel, kTunnelKeys)) +
         counters_line("findings", findings_list(c));
}

// Whether a flow of the class goes up and raises an alert; of others there is but the count.
bool is_flagged(const nids_class& one) {
  return one.interest != NIDS_INTEREST_COUNT && one.interest != NIDS_INTEREST_BYPASS;
}

std::string classes_text(const StatsReport& report) {
  std::string flagged, only_counted;
  for (std::size_t i = 1; i < report.classes.size() && i < NIDS_CLASS_MAX; ++i) {
    const nids_class_sum& sum = report.counters.classes[i];
    if (sum.packets == 0) continue;
    (is_flagged(report.classes[i]) ? flagged : only_counted) +=
        fmt::format("  {:<14}{:>8} {} {:>12} {} {:>16} {}\n", class_name(report.classes[i]),
                    sum.flows, unit(sum.flows, "flow", true), sum.packets,
                    unit(sum.packets, "packet", true), sum.bytes, unit(sum.bytes, "byte"));
  }
  return "flagged\n" + (flagged.empty() ? "  nothing\n" : flagged) +
         (only_counted.empty() ? "" : "counted\n" + only_counted);
}

std::string retained_text(const StatsReport& report) {
  const nids_sum& retained = report.agent_counters.retained;
  // An agent whose programs were taken over may have kept some.
  if (!report.keeps_packets && retained.packets == 0) return "kept    nothing; retention off\n";
  const std::uint64_t held = report.agent_counters.held.packets;
  return fmt::format("kept    {}, {}; {}{} not kept by policy{}\n",
                     counted(retained.packets, "packet"), counted(retained.bytes, "byte"),
                     held == 0 ? "" : fmt::format("{} held until an alert, ", held),
                     not_kept_by_policy(report), report.keeps_packets ? "" : "; retention off");
}

// May be more than was kept: of files of earlier runs, too, whose packets nobody has counted.
std::string deleted_text(const nids_agent_counters& a) {
  const nids_sum& deleted = a.deleted_by_policy;
  if (deleted.packets == 0 && deleted.bytes == 0) return {};
  return fmt::format("deleted {}{} by the budget, earlier runs' included\n",
                     deleted.packets == 0 ? "" : counted(deleted.packets, "packet") + ", ",
                     counted(deleted.bytes, "byte"));
}

std::string left_out_text(const nids_agent_counters& a) {
  if (a.not_analysed.packets == 0) return {};
  return fmt::format("left    {}, {} out of the analysis by --filter or --count\n",
                     counted(a.not_analysed.packets, "packet"),
                     counted(a.not_analysed.bytes, "byte"));
}

std::string kept_text(const StatsReport& report) {
  const nids_agent_counters& a = report.agent_counters;
  const auto* by = a.alerts_by_severity;
  return fmt::format("alerts  {} (severity 1: {}, 2: {}, 3: {}), {} suppressed\n",
                     by[1] + by[2] + by[3], by[1], by[2], by[3], a.alerts_suppressed) +
         retained_text(report) + deleted_text(a) + left_out_text(a);
}

std::string lost_text(const StatsReport& report) {
  const nids_counters& c = report.counters;
  const nids_agent_counters& a = report.agent_counters;
  std::string list;
  append_count(list, "records, ring full:", ring_lost(c).packets);
  append_count(list, "packets without a slot:", c.unaccounted.packets);
  append_count(list, "packets, disk:", a.not_kept_by_error.packets);
  append_count(list, "packets, disk too slow:", a.not_kept_by_overload.packets);
  append_count(list, "EVE lines:", a.eve_lost);
  append_count(list, "lines that nobody read:", a.lines_lost);
  append_count(list, "flow records, collector:", a.ipfix_lost);
  append_count(list, "records refused:", a.invalid_records);
  append_count(list, "flows not seen by host analysers:", a.host_flows_lost);
  append_count(list, "alerts of host analysers:", a.host_alerts_lost);
  if (const auto left = unread_records(report); left != 0)
    list += (list.empty() ? "" : ", ") + counted(left, "record") + " unread";
  return "lost    " + (list.empty() ? "nothing" : list) + "\n";
}

std::string balance_text(const StatsReport& report) {
  const auto is_so = is_balanced(report);
  return !is_so   ? "balance not known: the ring could not be read while it stood still"
         : *is_so ? "balanced"
                  : "DOES NOT BALANCE";
}

std::string ledger_text(const StatsReport& report) {
  const nids_counters& c = report.counters;
  return amount("seen", seen_sum(c)) + amount("= live in flow table", c.live) +
         amount("+ exported", c.exported) + amount("+ unaccounted", c.unaccounted) +
         amount("+ no flow by nature", c.no_flow) + "  " + balance_text(report) + "\n";
}

std::string sweep_text(const nids_agent_counters& a) {
  return a.sweep_ns == 0
             ? std::string{}
             : fmt::format(", last scan {:.3f} ms", static_cast<double>(a.sweep_ns) / 1e6);
}

}  // namespace

std::string stats_text(const StatsReport& report) {
  const nids_counters& c = report.counters;
  const nids_sum pending = ring_pending(report);
  return fmt::format("{} ({}), agent {}\n", printable(report.interface), report.mode,
                     report.agent ? "running" : "not running") +
         amount("in", c.seen[NIDS_INGRESS]) + amount("out", c.seen[NIDS_EGRESS]) + headers_text(c) +
         classes_text(report) + "ledger\n" + ledger_text(report) +
         fmt::format("flows   {} live of {} slots, {} created, {} exported{}\n", live_flows(c),
                     report.slots, c.flows_created, c.flows_exported,
                     sweep_text(report.agent_counters)) +
         fmt::format("ring    {} offered, {} consumed, {} lost, {} pending\n",
                     c.ring_offered.packets, report.agent_counters.consumed.packets,
                     ring_lost(c).packets, pending.packets) +
         kept_text(report) + lost_text(report);
}

std::string summary_text(const StatsReport& report) {
  const nids_sum seen = seen_sum(report.counters);
  const std::string findings = findings_list(report.counters);
  return fmt::format("{}\nseen    {}, {}; ledger {}\n", printable(report.interface),
                     counted(seen.packets, "packet"), counted(seen.bytes, "byte"),
                     balance_text(report)) +
         classes_text(report) + (findings.empty() ? "" : "findings\n  " + findings + "\n") +
         kept_text(report) + lost_text(report);
}

}  // namespace nids
