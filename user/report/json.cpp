// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "log/eve_json.hpp"
#include "report/counters.hpp"

namespace nids {
namespace {

using Json = nlohmann::ordered_json;

// The value at a key with dots. Makes missing levels, so that a list without entries is there too.
Json& place_of(Json& json, std::string_view key, std::string_view label) {
  Json* at = &json;
  for (;;) {
    if (at->is_null()) *at = Json::object();
    const std::size_t dot = key.find('.');
    const std::string_view level = key.substr(0, dot);
    if (level == "*" && label.empty()) return *at;
    at = &(*at)[std::string(level == "*" ? label : level)];
    if (dot == key.npos) return *at;
    key.remove_prefix(dot + 1);
  }
}

void add_counter(Json& json, const Counter& counter, const StatsReport& report) {
  const Values values = counter.read(report);
  if (!counter.label.empty()) place_of(json, counter.json, {});
  for (const Value& value : values)
    if (value.label.empty() == counter.label.empty())
      place_of(json, counter.json, value.label) = value.number;
}

}  // namespace

Json stats_json(const StatsReport& report) {
  Json json;
  json["interface"] = report.interface;
  json["mode"] = report.mode;
  json["attached_since"] = eve_timestamp(WallTime{report.since_ns});
  json["agent"] = report.agent;
  for (const Counter& counter : counters())
    if (!counter.json.empty()) add_counter(json, counter, report);
  const auto balanced = is_balanced(report);
  json["ledger"]["balanced"] = balanced ? Json(*balanced) : Json();
  return json;
}

}  // namespace nids
