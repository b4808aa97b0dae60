// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "cli/report.hpp"
#include "cli/totals.hpp"
#include "log/eve_json.hpp"
#include "nids/sum.hpp"

namespace nids {
namespace {

using Json = nlohmann::ordered_json;

Json sum_json(const nids_sum& sum) { return {{"packets", sum.packets}, {"bytes", sum.bytes}}; }

Json parse_json(const nids_counters& c) {
  Json json = Json::object();
#define NIDS_KEY(name, key, meaning) json[key] = c.parse[NIDS_PARSE_##name];
  NIDS_PARSE_RESULTS(NIDS_KEY)
#undef NIDS_KEY
  return json;
}

Json network_json(const nids_counters& c) {
  Json json = Json::object();
#define NIDS_KEY(name, key) json[key] = c.network[NIDS_NETWORK_##name];
  NIDS_NETWORKS(NIDS_KEY)
#undef NIDS_KEY
  return json;
}

Json transport_json(const nids_counters& c) {
  Json json = Json::object();
#define NIDS_KEY(name, key) json[key] = c.transport[NIDS_TRANSPORT_##name];
  NIDS_TRANSPORTS(NIDS_KEY)
#undef NIDS_KEY
  return json;
}

Json tunnels_json(const nids_counters& c) {
  Json json = Json::object();
#define NIDS_KEY(name, key) \
  if (NIDS_TUNNEL_##name != NIDS_TUNNEL_NONE) json[key] = c.tunnel[NIDS_TUNNEL_##name];
  NIDS_TUNNELS(NIDS_KEY)
#undef NIDS_KEY
  return json;
}

Json findings_json(const nids_counters& c) {
  Json json = Json::object();
#define NIDS_KEY(name, key, meaning) json[key] = c.findings[NIDS_FINDING_##name];
  NIDS_FINDINGS(NIDS_KEY)
#undef NIDS_KEY
  return json;
}

Json lost_by_reason_json(const nids_counters& c) {
  Json json = Json::object();
#define NIDS_KEY(name, key) json[key] = sum_json(c.ring_lost[NIDS_REASON_##name]);
  NIDS_REASONS(NIDS_KEY)
#undef NIDS_KEY
  return json;
}

Json classes_json(const StatsReport& report) {
  Json json = Json::object();
  for (std::size_t i = 1; i < report.classes.size() && i < NIDS_CLASS_MAX; ++i) {
    const nids_class_sum& sum = report.counters.classes[i];
    if (report.classes[i].name[0] == '\0') continue;
    json[class_name(report.classes[i])] = {{"flows", sum.flows},
                                           {"packets", sum.packets},
                                           {"bytes", sum.bytes},
                                           {"lost", sum.lost.packets},
                                           {"lost_bytes", sum.lost.bytes}};
  }
  return json;
}

Json ring_json(const StatsReport& report) {
  const nids_sum lost = ring_lost(report.counters);
  const nids_sum pending = ring_pending(report);
  return {{"offered", report.counters.ring_offered.packets},
          {"consumed", report.agent_counters.consumed.packets},
          {"lost", lost.packets},
          {"pending", pending.packets},
          {"offered_bytes", report.counters.ring_offered.bytes},
          {"consumed_bytes", report.agent_counters.consumed.bytes},
          {"lost_bytes", lost.bytes},
          {"pending_bytes", pending.bytes},
          {"invalid", report.agent_counters.invalid_records},
          {"lost_by_reason", lost_by_reason_json(report.counters)},
          {"copy_failed", report.counters.copy_failed.packets},
          {"first_packets_withheld", report.counters.first_packets_withheld}};
}

Json retained_json(const StatsReport& report) {
  const nids_agent_counters& a = report.agent_counters;
  return {{"packets", a.retained.packets},
          {"bytes", a.retained.bytes},
          {"held", a.held.packets},
          {"not_kept_by_policy", not_kept_by_policy(report)},
          {"beyond_depth", report.counters.beyond_depth.packets},
          {"not_sampled", report.counters.not_sampled.packets},
          {"not_analysed", a.not_analysed.packets},
          {"not_analysed_bytes", a.not_analysed.bytes},
          {"lost_by_overload", lost_by_overload(report)},
          {"waiting", waiting_of(a).packets},
          {"lost_by_error", a.not_kept_by_error.packets},
          {"deleted_by_policy", a.deleted_by_policy.packets}};
}

Json alerts_json(const nids_agent_counters& a) {
  const auto* by = a.alerts_by_severity;
  return {{"total", by[1] + by[2] + by[3]},
          {"suppressed", a.alerts_suppressed},
          {"not_indexed", a.alerts_not_indexed},
          {"deleted_by_policy", a.alerts_deleted},
          {"by_severity", {{"1", by[1]}, {"2", by[2]}, {"3", by[3]}}},
          {"eve_lines", a.eve_lines},
          {"eve_lost", a.eve_lost},
          {"lines_lost", a.lines_lost},
          {"eve_files_removed", a.eve_files_removed}};
}

Json balanced_json(const StatsReport& report) {
  const auto is_so = is_balanced(report);
  return is_so ? Json(*is_so) : Json();
}

Json ledger_json(const StatsReport& report) {
  const nids_counters& c = report.counters;
  const nids_sum seen = seen_sum(c);
  return {{"seen", seen.packets},
          {"live", c.live.packets},
          {"exported", c.exported.packets},
          {"unaccounted", c.unaccounted.packets},
          {"no_flow", c.no_flow.packets},
          {"seen_bytes", seen.bytes},
          {"live_bytes", c.live.bytes},
          {"exported_bytes", c.exported.bytes},
          {"unaccounted_bytes", c.unaccounted.bytes},
          {"no_flow_bytes", c.no_flow.bytes},
          {"balanced", balanced_json(report)}};
}

}  // namespace

Json stats_json(const StatsReport& report) {
  const nids_counters& c = report.counters;
  Json json;
  json["interface"] = report.interface;
  json["mode"] = report.mode;
  json["attached_since"] = eve_timestamp(WallTime{report.since_ns});
  json["agent"] = report.agent;
  json["ingress"] = sum_json(c.seen[NIDS_INGRESS]);
  json["egress"] = sum_json(c.seen[NIDS_EGRESS]);
  json["parse"] = parse_json(c);
  json["network"] = network_json(c);
  json["transport"] = transport_json(c);
  json["classes"] = classes_json(report);
  json["tunnels"] = tunnels_json(c);
  json["findings"] = findings_json(c);
  json["verdict"] = {{"pass", seen_sum(c).packets}, {"drop", 0}};
  json["flow_table"] = {{"slots", report.slots},
                        {"live", c.flows_created - c.flows_exported},
                        {"created", c.flows_created},
                        {"exported", c.flows_exported},
                        {"cells_replaced", c.cells_replaced},
                        {"fragments_replaced", c.fragments_replaced},
                        {"gso_headers_unknown", c.gso_headers_unknown},
                        {"commands", report.agent_counters.commands}};
  json["agent_table"] = {{"flows", report.agent_counters.flows_tracked},
                         {"flows_evicted", report.agent_counters.flows_evicted},
                         {"suppressions_evicted", report.agent_counters.suppressions_evicted},
                         {"slots_waiting", report.agent_counters.slots_waiting}};
  json["hosts"] = {{"flows_merged", report.agent_counters.host_flows_merged},
                   {"flows_lost", report.agent_counters.host_flows_lost},
                   {"alerts_lost", report.agent_counters.host_alerts_lost},
                   {"evictions", report.agent_counters.host_evictions}};
  json["flow_records"] = {{"told", report.agent_counters.flow_records},
                          {"ipfix_sent", report.agent_counters.ipfix_sent},
                          {"ipfix_lost", report.agent_counters.ipfix_lost}};
  json["ring"] = ring_json(report);
  json["retained"] = retained_json(report);
  json["alerts"] = alerts_json(report.agent_counters);
  json["ledger"] = ledger_json(report);
  return json;
}

}  // namespace nids
