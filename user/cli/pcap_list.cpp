// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <utility>

#include "cli/columns.hpp"
#include "cli/command.hpp"
#include "cli/ends_text.hpp"
#include "cli/filter_expression.hpp"
#include "cli/kept_store.hpp"
#include "cli/short_text.hpp"
#include "cli/wall_clock.hpp"
#include "cli/when.hpp"
#include "decode/printable.hpp"
#include "log/eve_json.hpp"

namespace nids {
namespace {

using Json = nlohmann::ordered_json;
using FlowKey = std::pair<std::uint64_t, std::string>;  // id and community_id

constexpr std::size_t kMaxPath = 4096;
constexpr std::size_t kNarrow = 110;  // columns, below which what is long is left out

struct KeptFlowRow {
  KeptFlow flow;
  WallTime first, last;
  std::uint64_t packets = 0, bytes = 0, alerts = 0;
  int severity = 0;  // the highest of its alerts, which is the lowest number; 0: it has none

  void add(const FlowSpan& span) {
    if (packets == 0 || span.first < first) first = span.first;
    last = std::max(last, span.last);
    packets += span.offsets.size();
    bytes += span.bytes;
    if (flow.class_name.empty()) flow.class_name = span.flow.class_name;
  }
  void add(const KeptAlert& alert) {
    severity = alerts == 0 ? alert.severity : std::min<int>(severity, alert.severity);
    ++alerts;
  }
};

// Of the flows that the index knows: as many as the budget of the store lets there be.
Result<std::vector<KeptFlowRow>> collect(const Index& index, const SpanQuery& query,
                                         const std::optional<FlowFilter>& filter) {
  std::map<FlowKey, KeptFlowRow> flows;
  auto asked = index.spans(query, [&](const FlowSpan& span) {
    if (filter && !filter->matches(span.flow.ends)) return true;
    const auto [row, is_new] = flows.try_emplace({span.flow.id, span.flow.community_id});
    if (is_new) row->second.flow = span.flow;
    row->second.add(span);
    return true;
  });
  if (!asked) return asked.error();
  auto alerts = index.alerts({}, [&](const IndexedAlert& one) {
    const auto row = flows.find({one.alert.flow.id, one.alert.flow.community_id});
    if (row != flows.end()) row->second.add(one.alert);
    return true;
  });
  if (!alerts) return alerts.error();
  std::vector<KeptFlowRow> rows;
  for (auto& [key, row] : flows) rows.push_back(std::move(row));
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  return rows;
}

Json json_of(const KeptFlowRow& row) {
  Json json{{"first", eve_timestamp(row.first)}, {"last", eve_timestamp(row.last)}};
  add_vlan(json, row.flow.ends);
  add_ends(json, row.flow.ends);
  json["flow_id"] = row.flow.id;
  if (!row.flow.community_id.empty()) json["community_id"] = printable(row.flow.community_id);
  if (!row.flow.class_name.empty()) json["class"] = printable(row.flow.class_name);
  json["packets"] = row.packets;
  json["bytes"] = row.bytes;
  json["alerts"] = row.alerts;
  return json;
}

void print_table(const std::vector<KeptFlowRow>& rows, const std::string& directory, Io& io) {
  const bool is_narrow = io.width != 0 && io.width < kNarrow;
  TextTable table({{.header = "START"},
                   {.header = "TIME", .is_right = true, .sacrifice = 3},
                   {.header = "PRO"},
                   {.header = "CLIENT", .is_address = true},
                   {.header = "SERVER", .is_address = true},
                   {.header = "PKT", .is_right = true},
                   {.header = "BYT", .is_right = true, .sacrifice = 2},
                   {.header = "CLASS", .may_end_at = 5},
                   {.header = "ALERTS", .is_right = true, .least_width = 80, .sacrifice = 1},
                   {.header = "COMMUNITY_ID", .least_width = 120}});
  const WallTime now = wall_now();
  for (const KeptFlowRow& row : rows)
    table.add(
        {is_narrow ? short_moment_text(row.first, now) : moment_text(row.first),
         short_age(row.last.ns - row.first.ns), protocol_text(row.flow.ends),
         client_text(row.flow.ends), server_text(row.flow.ends), short_count(row.packets),
         short_bytes(row.bytes), row.flow.class_name.empty() ? "-" : printable(row.flow.class_name),
         short_count(row.alerts),
         row.flow.community_id.empty() ? "-" : printable(row.flow.community_id)},
        row.alerts != 0 ? severity_colour(row.severity) : "");
  io.out << table.text(io.width, io.colour) << grouped(rows.size())
         << (rows.size() == 1 ? " flow" : " flows")
         << (rows.empty() ? " of those in " + printable(directory, kMaxPath) : "")
         << ", times in UTC\n";
}

}  // namespace

Exit run_pcap_list(const KeptChoice& choice, bool json, Io& io) {
  fail_to_write_without_a_signal();
  if (choice.alert.has_value() + choice.flow.has_value() + choice.filter.has_value() > 1)
    return usage("give one of --alert, --flow and --filter", io, "pcap list");
  const auto period = period_of(choice.since, choice.until);
  if (!period) return usage(period.error().message(), io, "pcap list");
  if (auto ordered = in_order(period->since, period->until); !ordered)
    return usage(ordered.error().message(), io, "pcap list");
  std::optional<FlowFilter> filter;
  if (choice.filter) {
    auto compiled = compile_flow_filter(*choice.filter, Services::load());
    if (!compiled) return usage(compiled.error().message(), io, "pcap list");
    filter = std::move(*compiled);
  }
  const auto store = open_kept_store(choice.retain, choice.config, io);
  if (!store) return kFailed;
  SpanQuery query{.community_id = choice.flow.value_or(""),
                  .flow_id = {},
                  .since = period->since,
                  .until = period->until};
  if (choice.alert) {
    const auto alert = alert_by_id(store->index, *choice.alert);
    if (!alert) return fail(alert.error(), io);
    if (!*alert) return fail(no_such_alert(*choice.alert), io);
    query.flow_id = (*alert)->alert.flow.id;
    query.community_id = (*alert)->alert.flow.community_id;
  }
  const auto rows = collect(store->index, query, filter);
  if (!rows) return fail(rows.error(), io);
  if (!json) {
    print_table(*rows, store->directory, io);
    return kOk;
  }
  Json array = Json::array();
  for (const KeptFlowRow& row : *rows) array.push_back(json_of(row));
  io.out << array.dump(2) << '\n';
  return kOk;
}

}  // namespace nids
