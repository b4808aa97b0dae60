// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <netinet/in.h>

#include <charconv>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "log/eve_json.hpp"
#include "log/flow_json.hpp"

namespace nids {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kIdLimit = 1ull << 53;  // a double holds what is below
constexpr std::size_t kTextMaxBytes = 256;
constexpr std::uint16_t kVlanIdMax = 4095;

// Takes values out of an object and remembers the first key that was wrong; after one, what it
// gives is of no meaning.
class Reader {
 public:
  template <class T>
  T number(const Json& object, const char* key,
           std::uint64_t most = std::numeric_limits<T>::max()) {
    const Json* value = required(object, key);
    if (value == nullptr) return {};
    if (!value->is_number_unsigned() || value->get<std::uint64_t>() > most) return wrong<T>(key);
    return value->get<T>();
  }

  template <class T>
  std::optional<T> optional_number(const Json& object, const char* key) {
    return object.contains(key) ? std::optional<T>(number<T>(object, key)) : std::nullopt;
  }

  std::string text(const Json& object, const char* key) {
    const Json* value = required(object, key);
    if (value == nullptr) return {};
    if (!value->is_string()) return wrong<std::string>(key);
    const auto& found = value->get_ref<const std::string&>();
    return found.size() <= kTextMaxBytes ? found : wrong<std::string>(key);
  }

  std::string optional_text(const Json& object, const char* key) {
    return object.contains(key) ? text(object, key) : std::string{};
  }

  bool flag(const Json& object, const char* key) {
    const Json* value = required(object, key);
    if (value == nullptr) return false;
    return value->is_boolean() ? value->get<bool>() : wrong<bool>(key);
  }

  WallTime time(const Json& object, const char* key) {
    const auto found = parse_eve_timestamp(text(object, key));
    return found ? *found : wrong<WallTime>(key);
  }

  // The value of [first, last] that has this name.
  template <class Enum>
  Enum name(const Json& object, const char* key, Enum first, Enum last) {
    const std::string found = text(object, key);
    for (int i = static_cast<int>(first); i <= static_cast<int>(last); ++i)
      if (found == name_of(static_cast<Enum>(i))) return static_cast<Enum>(i);
    return wrong<Enum>(key);
  }

  const Json& object(const Json& outer, const char* key) {
    static const Json kNothing = Json::object();
    const Json* value = required(outer, key);
    if (value == nullptr) return kNothing;
    if (value->is_object()) return *value;
    wrong<bool>(key);
    return kNothing;
  }

  template <class T>
  T wrong(const char* key) {
    if (wrong_key_ == nullptr) wrong_key_ = key;
    return {};
  }

  const char* wrong_key() const { return wrong_key_; }

 private:
  const Json* required(const Json& object, const char* key) {
    const auto found = object.find(key);
    if (found != object.end()) return &*found;
    wrong<bool>(key);
    return nullptr;
  }

  const char* wrong_key_ = nullptr;
};

std::uint8_t read_address(Reader& reader, const Json& object, const char* key,
                          std::uint8_t (&address)[16]) {
  const std::string text = reader.text(object, key);
  if (inet_pton(AF_INET, text.c_str(), address) == 1) return 4;
  if (inet_pton(AF_INET6, text.c_str(), address) == 1) return 6;
  return reader.wrong<std::uint8_t>(key);
}

void read_vlan(Reader& reader, const Json& object, Ends& ends) {
  const auto ids = object.find("vlan");
  if (ids == object.end()) return;
  if (!ids->is_array() || ids->empty() || ids->size() > std::size(ends.vlan)) {
    reader.wrong<bool>("vlan");
    return;
  }
  std::size_t count = 0;
  for (const Json& id : *ids) {
    const bool is_id = id.is_number_unsigned() && id.get<std::uint64_t>() <= kVlanIdMax;
    ends.vlan[count++] = is_id ? id.get<std::uint16_t>() : reader.wrong<std::uint16_t>("vlan");
  }
}

Ends read_ends(Reader& reader, const Json& object) {
  Ends ends;
  const auto protocol = protocol_number(reader.text(object, "proto"));
  ends.l4_proto = protocol ? *protocol : reader.wrong<std::uint8_t>("proto");
  ends.ip_version = read_address(reader, object, "src_ip", ends.client);
  if (read_address(reader, object, "dest_ip", ends.server) != ends.ip_version)
    reader.wrong<bool>("dest_ip");
  if (has_ports(ends.l4_proto)) {
    ends.client_port = reader.number<std::uint16_t>(object, "src_port");
    ends.server_port = reader.number<std::uint16_t>(object, "dest_port");
  }
  read_vlan(reader, object, ends);
  return ends;
}

std::uint8_t read_flags(Reader& reader, const Json& tcp, const char* key) {
  const std::string text = reader.text(tcp, key);
  const char* const end = text.data() + text.size();
  std::uint8_t flags = 0;
  const auto [rest, failure] = std::from_chars(text.data(), end, flags, 16);
  return failure == std::errc{} && rest == end ? flags : reader.wrong<std::uint8_t>(key);
}

void read_tcp(Reader& reader, const Json& object, FlowRecord& record) {
  const Json& tcp = reader.object(object, "tcp");
  record.tcp_flags[0] = read_flags(reader, tcp, "tcp_flags_ts");
  record.tcp_flags[1] = read_flags(reader, tcp, "tcp_flags_tc");
  record.tcp_state = reader.name(tcp, "state", TcpState::kNone, TcpState::kClosed);
}

void read_counts(Reader& reader, const Json& object, FlowRecord& record) {
  const Json& flow = reader.object(object, "flow");
  record.packets[0] = reader.number<std::uint64_t>(flow, "pkts_toserver");
  record.packets[1] = reader.number<std::uint64_t>(flow, "pkts_toclient");
  record.bytes[0] = reader.number<std::uint64_t>(flow, "bytes_toserver");
  record.bytes[1] = reader.number<std::uint64_t>(flow, "bytes_toclient");
  record.start = reader.time(flow, "start");
  record.end = reader.time(flow, "end");
  record.state = reader.name(flow, "state", FlowState::kNew, FlowState::kBypassed);
  record.reason = reader.name(flow, "reason", FlowReason::kTimeout, FlowReason::kInterim);
  record.is_alerted = reader.flag(flow, "alerted");
}

std::optional<IcmpTypes> read_icmp(Reader& reader, const Json& object) {
  if (!object.contains("icmp_type")) return std::nullopt;
  return IcmpTypes{
      .type = reader.number<std::uint8_t>(object, "icmp_type"),
      .code = reader.number<std::uint8_t>(object, "icmp_code"),
      .response_type = reader.optional_number<std::uint8_t>(object, "response_icmp_type"),
      .response_code = reader.optional_number<std::uint8_t>(object, "response_icmp_code")};
}

}  // namespace

Result<NamedFlow> parse_flow_json(const Json& object) {
  const auto refused = [](std::string reason) {
    return Error{.action = "read a flow", .reason = std::move(reason)};
  };
  if (!object.is_object()) return refused("it is not an object");

  Reader reader;
  NamedFlow flow;
  FlowRecord& record = flow.record;
  record.id = reader.number<std::uint64_t>(object, "flow_id", kIdLimit - 1);
  record.ends = read_ends(reader, object);
  record.icmp = read_icmp(reader, object);
  record.community_id = reader.optional_text(object, "community_id");
  read_counts(reader, object, record);
  if (record.ends.l4_proto == IPPROTO_TCP) read_tcp(reader, object, record);
  record.conn_state = reader.name(object, "conn_state", ConnState::kS0, ConnState::kOTH);
  record.history = reader.text(object, "history");
  record.is_continued = object.contains("continued") && reader.flag(object, "continued");
  record.has_unknown_direction = reader.optional_text(object, "direction") == "unknown";
  flow.class_name = reader.optional_text(object, "class");

  if (reader.wrong_key() != nullptr)
    return refused("its \"" + std::string(reader.wrong_key()) + "\" is missing or wrong");
  return flow;
}

}  // namespace nids
