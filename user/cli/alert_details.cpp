// SPDX-License-Identifier: Apache-2.0
#include "cli/alert_details.hpp"

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string_view>

#include "alert/alert.hpp"
#include "cli/columns.hpp"
#include "cli/ends_text.hpp"
#include "cli/short_text.hpp"
#include "cli/wrapped.hpp"
#include "decode/printable.hpp"
#include "decode/shallow_json.hpp"
#include "log/eve_json.hpp"
#include "nids/abi/lists.h"

namespace nids {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxText = 4096;

Json printable_json(const Json& json) {
  if (json.is_string()) return printable(json.get_ref<const std::string&>(), kMaxText);
  if (!json.is_structured()) return json;
  Json safe = json.is_array() ? Json::array() : Json::object();
  for (const auto& [key, value] : json.items()) {
    if (json.is_array())
      safe.push_back(printable_json(value));
    else
      safe[printable(key)] = printable_json(value);
  }
  return safe;
}

// Of the record, one of its two objects.
Json part_of(const IndexedAlert& alert, const char* key) {
  const Json record = parse_shallow_object(alert.alert.record);
  const auto found = record.find(key);
  return found != record.end() && found->is_object() ? printable_json(*found) : Json::object();
}

Json known_alert(const KeptAlert& alert) {
  Json json{{"timestamp", eve_timestamp(alert.time)}};
  if (alert.flow.id != 0) json["flow_id"] = alert.flow.id;
  json["event_type"] = "alert";
  add_vlan(json, alert.flow.ends);
  add_ends(json, alert.flow.ends, alert.kind != AlertKind::kHost);
  if (!alert.flow.community_id.empty()) json["community_id"] = printable(alert.flow.community_id);
  json["alert"] = {{"gid", alert.signature_id.gid},
                   {"signature_id", alert.signature_id.sid},
                   {"signature", printable(alert.signature)},
                   {"severity", alert.severity}};
  return json;
}

Json place_json(const std::optional<PacketPlace>& place) {
  if (!place) return nullptr;
  return {{"segment", place->segment.file()}, {"packet", place->number}, {"offset", place->offset}};
}

// A text or number on the way of keys; empty where there is none.
std::string text_at(const Json& json, std::initializer_list<const char*> keys) {
  const Json* at = &json;
  for (const char* key : keys) {
    if (!at->is_object()) return {};
    const auto found = at->find(key);
    if (found == at->end()) return {};
    at = &*found;
  }
  if (at->is_array() && !at->empty()) at = &at->front();
  if (at->is_string()) return at->get<std::string>();
  return at->is_number() ? at->dump() : std::string();
}

// What the first pass found in the packet itself, where that is what the alert is about.
std::string finding_text(const KeptAlert& alert) {
  constexpr std::uint32_t kFirst = 2001;  // docs/alerts.md
  constexpr std::string_view kTexts[] = {
#define NIDS_TEXT(name, key, meaning) key ": " meaning,
      NIDS_FINDINGS(NIDS_TEXT)
#undef NIDS_TEXT
  };
  if (alert.kind != AlertKind::kStatelessFinding) return {};
  const std::uint32_t finding = alert.signature_id.sid - kFirst;
  return finding < std::size(kTexts) ? std::string(kTexts[finding]) : std::string();
}

// Lines of a name and what stands behind it; what is empty has no line.
class Lines {
 public:
  explicit Lines(std::size_t width) : width_(width) {}
  void title(const std::string& text) { text_ += text + '\n'; }
  void add(const char* name, const std::string& value) {
    if (value.empty()) return;
    std::string head = std::string("  ") + name;
    head.resize(std::max(head.size() + 1, kIndent), ' ');
    text_ += head + wrapped(value, kIndent, width_) + '\n';
  }
  // As it stands: a command is to be copied.
  void add_whole(const char* name, const std::string& value) {
    const std::size_t width = std::exchange(width_, 0);
    add(name, value);
    width_ = width;
  }
  const std::string& text() const { return text_; }

 private:
  static constexpr std::size_t kIndent = 16;
  std::size_t width_;
  std::string text_;
};

void add_alert(Lines& lines, const KeptAlert& alert, const Json& eve) {
  lines.title("alert " + std::to_string(alert.id) + ": " + printable(alert.signature));
  lines.add("time", eve_timestamp(alert.time));
  std::string rule = alert.signature_id.text() + ", severity " + std::to_string(alert.severity);
  if (const std::string category = text_at(eve, {"alert", "category"}); !category.empty())
    rule += ", " + category;
  if (const std::string technique = text_at(eve, {"alert", "metadata", "mitre_technique_id"});
      !technique.empty())
    rule += ", ATT&CK " + technique;
  lines.add("signature", rule);
  const bool has_port = alert.kind != AlertKind::kHost;
  lines.add("client", client_text(alert.flow.ends, has_port));
  lines.add("server", server_text(alert.flow.ends, has_port));
  lines.add("protocol", protocol_text(alert.flow.ends));
  lines.add("class", printable(alert.flow.class_name));
  lines.add("interface", text_at(eve, {"in_iface"}));
  lines.add("direction", text_at(eve, {"direction"}));
  lines.add("community", printable(alert.flow.community_id));
  const std::string finding = finding_text(alert);
  const std::string observed = text_at(eve, {"alert", "context", "observed"});
  lines.add("finding", finding);
  if (!finding.ends_with(": " + observed)) lines.add("observed", observed);
  lines.add("expected", text_at(eve, {"alert", "context", "expected"}));
  lines.add("threshold", text_at(eve, {"alert", "context", "threshold"}));
}

void add_flow(Lines& lines, const Json& flow) {
  if (flow.empty()) return;
  const auto way = [&](const char* packets, const char* bytes) {
    const std::string sent = text_at(flow, {"flow", packets});
    return sent.empty() ? "" : sent + " packets, " + text_at(flow, {"flow", bytes}) + " bytes";
  };
  lines.title("flow, as last read, up to a second before");
  lines.add("id", text_at(flow, {"flow_id"}));
  if (text_at(flow, {"flow", "pkts_toserver"}) == "0" &&
      text_at(flow, {"flow", "pkts_toclient"}) == "0") {
    lines.add("counters", "not read yet from the flow table");
    return;
  }
  std::string state = text_at(flow, {"flow", "state"});
  if (const std::string tcp = text_at(flow, {"tcp", "state"}); !tcp.empty())
    state += ", TCP " + tcp;
  if (const std::string conn = text_at(flow, {"conn_state"}); !conn.empty()) state += ", " + conn;
  lines.add("state", state);
  lines.add("history", text_at(flow, {"history"}));
  lines.add("to server", way("pkts_toserver", "bytes_toserver"));
  lines.add("to client", way("pkts_toclient", "bytes_toclient"));
  lines.add("begun", text_at(flow, {"flow", "start"}));
  if (const std::string age = text_at(flow, {"flow", "age"}); !age.empty())
    lines.add("age", age + " s");
}

std::string count_text(std::uint64_t count, const char* one) {
  return grouped(count) + " " + one + (count == 1 ? "" : "s");
}

void add_packets(Lines& lines, const IndexedAlert& alert, const AlertPackets& packets) {
  lines.title("packets");
  if (alert.place)
    lines.add("its own", "number " + std::to_string(alert.place->number) + " of " +
                             alert.place->segment.file() + ", at byte " +
                             std::to_string(alert.place->offset));
  else if (packets.packets != 0)
    lines.add("its own", "not kept, or it had to make room for others");
  if (packets.packets != 0)
    lines.add("of its flow", count_text(packets.packets, "packet") + ", " +
                                 count_text(packets.bytes, "byte") + ", in " +
                                 count_text(packets.segments.size(), "segment"));
  constexpr std::size_t kMostNamed = 20;
  std::size_t named = 0;
  for (const auto& [segment, count] : packets.segments)
    if (++named <= kMostNamed) lines.add("", segment.file() + ": " + grouped(count));
  if (named > kMostNamed) lines.add("", "and " + grouped(named - kMostNamed) + " more");
  if (!alert.place && packets.packets == 0) {
    lines.add("kept", "none, or they had to make room for others");
    return;
  }
  lines.add("directory", printable(packets.directory, kMaxText));
  lines.add_whole("export", printable(packets.export_command, kMaxText));
}

}  // namespace

Json alert_json(const IndexedAlert& alert) {
  Json json{{"id", alert.alert.id}};
  Json eve = part_of(alert, "alert");
  if (eve.empty()) eve = known_alert(alert.alert);
  json.update(eve);
  json["id"] = alert.alert.id;  // whatever the record says
  json["place"] = place_json(alert.place);
  return json;
}

Json alert_flow_json(const IndexedAlert& alert) {
  Json flow = part_of(alert, "flow");
  return flow.empty() ? Json() : flow;
}

Json alert_details_json(const IndexedAlert& alert, const AlertPackets& packets) {
  Json json = alert_json(alert);
  const std::string finding = finding_text(alert.alert);
  json["finding"] = finding.empty() ? Json() : Json(finding);
  json["flow"] = alert_flow_json(alert);
  Json segments = Json::array();
  for (const auto& [segment, count] : packets.segments)
    segments.push_back({{"segment", segment.file()}, {"packets", count}});
  const bool is_kept = alert.place.has_value() || packets.packets != 0;
  json["kept"] = {{"directory", printable(packets.directory, kMaxText)},
                  {"packets", packets.packets},
                  {"bytes", packets.bytes},
                  {"segments", std::move(segments)},
                  {"export", is_kept ? Json(printable(packets.export_command, kMaxText)) : Json()}};
  return json;
}

std::string alert_details_text(const IndexedAlert& alert, const AlertPackets& packets,
                               std::size_t width) {
  Lines lines(width);
  add_alert(lines, alert.alert, part_of(alert, "alert"));
  add_flow(lines, part_of(alert, "flow"));
  add_packets(lines, alert, packets);
  return lines.text();
}

}  // namespace nids
