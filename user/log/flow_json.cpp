// SPDX-License-Identifier: Apache-2.0
#include "log/flow_json.hpp"

#include <netinet/in.h>

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "decode/printable.hpp"
#include "log/eve_json.hpp"

namespace nids {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array kFlagNames{
    std::pair{0x02, "syn"}, std::pair{0x01, "fin"}, std::pair{0x04, "rst"}, std::pair{0x08, "psh"},
    std::pair{0x10, "ack"}, std::pair{0x20, "urg"}, std::pair{0x40, "ecn"}, std::pair{0x80, "cwr"},
};

std::string flags_text(unsigned flags) {
  char text[8];
  std::snprintf(text, sizeof(text), "%02x", flags & 0xff);
  return text;
}

std::uint64_t age_seconds(const FlowRecord& record) {
  return record.end < record.start ? 0 : (record.end.ns - record.start.ns) / 1'000'000'000;
}

}  // namespace

Json flow_counts_json(const FlowRecord& record) {
  return {{"pkts_toserver", record.packets[0]},   {"pkts_toclient", record.packets[1]},
          {"bytes_toserver", record.bytes[0]},    {"bytes_toclient", record.bytes[1]},
          {"start", eve_timestamp(record.start)}, {"end", eve_timestamp(record.end)},
          {"age", age_seconds(record)},           {"state", name_of(record.state)},
          {"reason", name_of(record.reason)},     {"alerted", record.is_alerted}};
}

Json flow_tcp_json(const FlowRecord& record) {
  if (record.ends.l4_proto != IPPROTO_TCP) return {};
  const unsigned all = record.tcp_flags[0] | record.tcp_flags[1];
  Json tcp{{"tcp_flags", flags_text(all)},
           {"tcp_flags_ts", flags_text(record.tcp_flags[0])},
           {"tcp_flags_tc", flags_text(record.tcp_flags[1])}};
  for (const auto& [bit, name] : kFlagNames)
    if ((all & static_cast<unsigned>(bit)) != 0) tcp[name] = true;
  tcp["state"] = name_of(record.tcp_state);
  return tcp;
}

void add_icmp(Json& line, const FlowRecord& record) {
  if (!record.icmp) return;
  line["icmp_type"] = record.icmp->type;
  line["icmp_code"] = record.icmp->code;
  if (record.icmp->response_type) line["response_icmp_type"] = *record.icmp->response_type;
  if (record.icmp->response_code) line["response_icmp_code"] = *record.icmp->response_code;
}

Json flow_json(const FlowRecord& record, std::string_view class_name) {
  Json object{{"proto", protocol_name(record.ends.l4_proto)}};
  add_ends(object, record.ends);
  add_icmp(object, record);
  object["flow_id"] = record.id;
  if (!record.community_id.empty()) object["community_id"] = printable(record.community_id);
  add_vlan(object, record.ends);
  add_tunnel(object, record.tunnel);
  object["flow"] = flow_counts_json(record);
  if (Json tcp = flow_tcp_json(record); !tcp.empty()) object["tcp"] = std::move(tcp);
  object["conn_state"] = name_of(record.conn_state);
  object["history"] = printable(record.history);
  if (!class_name.empty()) object["class"] = printable(class_name);
  if (record.is_continued) object["continued"] = true;
  if (record.has_unknown_direction) object["direction"] = "unknown";
  return object;
}

}  // namespace nids
