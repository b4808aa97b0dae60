// SPDX-License-Identifier: Apache-2.0
#include "retain/comments.hpp"

#include <arpa/inet.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "alert/alert.hpp"
#include "decode/packet.hpp"
#include "decode/printable.hpp"
#include "decode/shallow_json.hpp"

namespace nids {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kFlowMark = "nids-xdp flow ";
constexpr std::string_view kAlertMark = "nids-xdp alert ";
constexpr std::uint64_t kMaxFlowId = (1ull << 53) - 1;
constexpr std::size_t kMaxClassName = 64;

std::string line_of(std::string_view mark, const Json& json) {
  return std::string(mark) + json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Nothing where it is not ours.
std::optional<Json> object_behind(std::string_view mark, std::string_view text) {
  if (!text.starts_with(mark)) return std::nullopt;
  Json json = parse_shallow_object(text.substr(mark.size()));
  return json.empty() ? std::nullopt : std::optional(std::move(json));
}

std::optional<std::uint64_t> number(const Json& json, const char* key, std::uint64_t max) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_number_unsigned()) return std::nullopt;
  const auto value = found->get<std::uint64_t>();
  return value <= max ? std::optional(value) : std::nullopt;
}

std::string text_of(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Json ends_json(const Ends& ends) {
  Json json{{"proto", ends.l4_proto},
            {"client", address_text(ends.client, ends.ip_version)},
            {"client_port", ends.client_port},
            {"server", address_text(ends.server, ends.ip_version)},
            {"server_port", ends.server_port}};
  if (ends.vlan[0] != 0 || ends.vlan[1] != 0) json["vlan"] = {ends.vlan[0], ends.vlan[1]};
  return json;
}

// 0: it is none.
std::uint8_t read_address(const Json& json, const char* key, std::uint8_t (&address)[16]) {
  const std::string text = text_of(json, key);
  if (inet_pton(AF_INET, text.c_str(), address) == 1) return 4;
  return inet_pton(AF_INET6, text.c_str(), address) == 1 ? 6 : 0;
}

bool read_vlan(const Json& json, Ends& ends) {
  const auto found = json.find("vlan");
  if (found == json.end()) return true;
  if (!found->is_array() || found->size() != 2) return false;
  for (std::size_t i = 0; i < 2; ++i) {
    const Json& id = (*found)[i];
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() > 0xfff) return false;
    ends.vlan[i] = id.get<std::uint16_t>();
  }
  return true;
}

std::optional<Ends> read_ends(const Json& json) {
  Ends ends;
  const auto proto = number(json, "proto", 0xff);
  const auto client_port = number(json, "client_port", 0xffff);
  const auto server_port = number(json, "server_port", 0xffff);
  ends.ip_version = read_address(json, "client", ends.client);
  const bool is_one_version = read_address(json, "server", ends.server) == ends.ip_version;
  if (!proto || !client_port || !server_port || ends.ip_version == 0 || !is_one_version)
    return std::nullopt;
  ends.l4_proto = static_cast<std::uint8_t>(*proto);
  ends.client_port = static_cast<std::uint16_t>(*client_port);
  ends.server_port = static_cast<std::uint16_t>(*server_port);
  return read_vlan(json, ends) ? std::optional(ends) : std::nullopt;
}

Json flow_json_of(const KeptFlow& flow) {
  Json json{{"flow_id", flow.id}};
  if (!flow.community_id.empty()) json["community_id"] = flow.community_id;
  if (flow.ends.ip_version != 0) json.update(ends_json(flow.ends));
  if (!flow.class_name.empty()) json["class"] = flow.class_name;
  return json;
}

std::optional<KeptFlow> read_flow(const Json& json) {
  KeptFlow flow;
  const auto id = number(json, "flow_id", kMaxFlowId);
  if (!id) return std::nullopt;
  flow.id = *id;
  flow.community_id = text_of(json, "community_id");
  if (json.contains("proto")) {
    const auto ends = read_ends(json);
    if (!ends) return std::nullopt;
    flow.ends = *ends;
  }
  flow.class_name = printable(text_of(json, "class"), kMaxClassName);
  return flow;
}

std::optional<std::uint32_t> number32(const Json& json, const char* key) {
  const auto found = number(json, key, UINT32_MAX);
  if (!found) return std::nullopt;
  return static_cast<std::uint32_t>(*found);
}

std::optional<AlertKind> kind_of(const Json& json, std::uint64_t sid) {
  if (json.contains("kind")) return alert_kind_of(text_of(json, "kind"));
  return sid >= kFirstOfClassBefore && sid <= kLastOfClassBefore ? AlertKind::kFlaggedProtocol
                                                                 : AlertKind::kStatelessFinding;
}

}  // namespace

std::string flow_comment(const FlowComment& comment) {
  Json json = flow_json_of(comment.flow);
  if (comment.is_related) json["related"] = true;
  return line_of(kFlowMark, json);
}

std::optional<FlowComment> parse_flow_comment(std::string_view text) {
  const auto json = object_behind(kFlowMark, text);
  const auto flow = json ? read_flow(*json) : std::nullopt;
  if (!flow) return std::nullopt;
  return FlowComment{*flow, json->contains("related")};
}

std::string alert_text(const KeptAlert& alert) {
  std::string text = printable(alert.signature) + " [" + alert.signature_id.text() + "] severity " +
                     std::to_string(alert.severity);
  if (!alert.flow.community_id.empty()) text += " " + alert.flow.community_id;
  return text;
}

std::string alert_comment(const KeptAlert& alert) {
  Json json{{"id", alert.id},
            {"time_ns", std::min<std::uint64_t>(alert.time.ns, INT64_MAX)},
            {"gid", alert.signature_id.gid},
            {"signature_id", alert.signature_id.sid},
            {"rev", alert.signature_id.rev},
            {"kind", name_of(alert.kind)},
            {"severity", alert.severity},
            {"signature", alert.signature}};
  json.update(flow_json_of(alert.flow));
  json["record"] = Json::parse(alert.record, nullptr, false);
  return line_of(kAlertMark, json);
}

std::optional<KeptAlert> parse_alert_comment(std::string_view text) {
  const auto json = object_behind(kAlertMark, text);
  if (!json) return std::nullopt;
  const auto id = number(*json, "id", kMaxAlert);
  const auto time = number(*json, "time_ns", INT64_MAX);
  const auto sid = number(*json, "signature_id", UINT32_MAX);
  const auto kind = kind_of(*json, sid.value_or(0));
  const auto severity = number(*json, "severity", 3);
  auto flow = read_flow(*json);
  if (!id || !time || !sid || !kind || !severity || *severity == 0 || !flow) return std::nullopt;
  KeptAlert alert{.id = *id,
                  .time = {*time},
                  .signature_id = {.gid = number32(*json, "gid").value_or(kGeneratorId),
                                   .sid = static_cast<std::uint32_t>(*sid),
                                   .rev = number32(*json, "rev").value_or(1)},
                  .kind = *kind,
                  .severity = static_cast<int>(*severity),
                  .signature = text_of(*json, "signature"),
                  .flow = std::move(*flow),
                  .record = {}};
  if (const auto record = json->find("record"); record != json->end())
    alert.record = record->dump(-1, ' ', false, Json::error_handler_t::replace);
  return alert;
}

}  // namespace nids
