// SPDX-License-Identifier: Apache-2.0
#include "log/eve_flow.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "decode/printable.hpp"
#include "log/eve_json.hpp"
#include "log/flow_json.hpp"

namespace nids {
namespace {

using Json = nlohmann::ordered_json;

// Suricata's schema refuses keys of others: what Zeek and we add goes where a rule's variables do.
Json flow_variables(const FlowRecord& record, std::string_view class_name) {
  Json variables = Json::array();
  const auto add = [&variables](const char* key, std::string value) {
    variables.push_back({{"key", key}, {"value", std::move(value)}});
  };
  add("conn_state", name_of(record.conn_state));
  add("history", printable(record.history));
  if (!class_name.empty()) add("class", printable(class_name));
  if (record.is_continued) add("continued", "true");
  if (record.has_unknown_direction) add("direction", "unknown");
  if (std::string text = tunnel_text(record.tunnel); !text.empty()) add("tunnel", std::move(text));
  return variables;
}

}  // namespace

std::string eve_flow_line(const FlowRecord& record, std::string_view class_name,
                          std::string_view interface, WallTime now) {
  Json line{{"timestamp", eve_timestamp(now)}, {"flow_id", record.id}};
  if (!interface.empty()) line["in_iface"] = printable(interface);
  line["event_type"] = "flow";
  add_vlan(line, record.ends);
  add_ends(line, record.ends);
  add_tunnel(line, record.tunnel);
  add_icmp(line, record);
  line["flow"] = flow_counts_json(record);
  line["metadata"]["flowvars"] = flow_variables(record, class_name);
  if (!record.community_id.empty()) line["community_id"] = printable(record.community_id);
  if (Json tcp = flow_tcp_json(record); !tcp.empty()) line["tcp"] = std::move(tcp);
  return json_text(line) + '\n';
}

}  // namespace nids
