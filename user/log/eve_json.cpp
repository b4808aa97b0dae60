// SPDX-License-Identifier: Apache-2.0
#include "log/eve_json.hpp"

#include <netinet/in.h>

#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <utility>

#include "decode/packet.hpp"

namespace nids {

using Json = nlohmann::ordered_json;

std::string eve_timestamp(WallTime time) {
  const auto seconds = static_cast<std::time_t>(time.ns / 1'000'000'000);
  const auto microseconds = static_cast<unsigned>(time.ns / 1'000 % 1'000'000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char date[32];
  const std::size_t length = std::strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
  char fraction[24];
  std::snprintf(fraction, sizeof(fraction), ".%06u+0000", microseconds);
  return std::string(date, length) + fraction;
}

std::optional<WallTime> parse_eve_timestamp(std::string_view text) {
  std::tm utc{};
  unsigned microseconds = 0;
  const std::string copy(text);
  if (std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%6u+0000", &utc.tm_year, &utc.tm_mon,
                  &utc.tm_mday, &utc.tm_hour, &utc.tm_min, &utc.tm_sec, &microseconds) != 7)
    return std::nullopt;
  utc.tm_year -= 1900;
  utc.tm_mon -= 1;
  const std::time_t seconds = timegm(&utc);
  if (seconds < 0) return std::nullopt;
  const WallTime time{static_cast<std::uint64_t>(seconds) * 1'000'000'000 +
                      std::uint64_t{microseconds} * 1'000};
  // sscanf and timegm take a good deal more: spaces, signs, the 31st of June.
  if (eve_timestamp(time) != text) return std::nullopt;
  return time;
}

bool has_ports(std::uint8_t l4_proto) {
  return l4_proto == IPPROTO_TCP || l4_proto == IPPROTO_UDP || l4_proto == IPPROTO_SCTP;
}

bool is_icmp(std::uint8_t l4_proto) {
  return l4_proto == IPPROTO_ICMP || l4_proto == IPPROTO_ICMPV6;
}

std::string protocol_name(std::uint8_t l4_proto) {
  switch (l4_proto) {
    case IPPROTO_ICMP:
      return "ICMP";
    case IPPROTO_IGMP:
      return "IGMP";
    case IPPROTO_IPIP:
      return "IP-in-IP";
    case IPPROTO_TCP:
      return "TCP";
    case IPPROTO_UDP:
      return "UDP";
    case IPPROTO_DCCP:
      return "DCCP";
    case IPPROTO_IPV6:
      return "IPv6";
    case IPPROTO_RSVP:
      return "RSVP";
    case IPPROTO_GRE:
      return "GRE";
    case IPPROTO_ESP:
      return "ESP";
    case IPPROTO_AH:
      return "AH";
    case IPPROTO_ICMPV6:
      return "IPv6-ICMP";
    case IPPROTO_NONE:
      return "IPv6-NoNxt";
    case IPPROTO_PIM:
      return "PIM";
    case IPPROTO_SCTP:
      return "SCTP";
    case IPPROTO_UDPLITE:
      return "UDPLite";
    default:
      break;
  }
  const std::string digits = std::to_string(l4_proto);
  return std::string(3 - digits.size(), '0') + digits;
}

std::optional<std::uint8_t> protocol_number(std::string_view name) {
  for (unsigned number = 0; number <= 0xff; ++number)
    if (protocol_name(static_cast<std::uint8_t>(number)) == name)
      return static_cast<std::uint8_t>(number);
  return std::nullopt;
}

void add_vlan(Json& line, const Ends& ends) {
  Json ids = Json::array();
  for (const std::uint16_t id : ends.vlan)
    if (id != 0) ids.push_back(id);
  if (!ids.empty()) line["vlan"] = std::move(ids);
}

void add_ends(Json& line, const Ends& ends, bool with_ports) {
  if (ends.ip_version == 0) return;
  line["src_ip"] = address_text(ends.client, ends.ip_version);
  with_ports = with_ports && has_ports(ends.l4_proto);
  if (with_ports) line["src_port"] = ends.client_port;
  line["dest_ip"] = address_text(ends.server, ends.ip_version);
  if (with_ports) line["dest_port"] = ends.server_port;
  line["proto"] = protocol_name(ends.l4_proto);
  line["ip_v"] = ends.ip_version;
}

void add_tunnel(Json& line, const TunnelEnds& tunnel) {
  if (tunnel.kind == NIDS_TUNNEL_NONE) return;
  std::uint8_t proto = line.value("ip_v", 4) == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
  if (tunnel.kind == NIDS_TUNNEL_GRE) proto = IPPROTO_GRE;
  if (tunnel.kind == NIDS_TUNNEL_VXLAN) proto = IPPROTO_UDP;
  line["tunnel"] = {{"src_ip", address_text(tunnel.client, tunnel.ip_version)},
                    {"dest_ip", address_text(tunnel.server, tunnel.ip_version)},
                    {"proto", protocol_name(proto)},
                    {"depth", 1}};
}

std::string tunnel_text(const TunnelEnds& tunnel) {
  static constexpr const char* kNames[]{
#define NIDS_NAME(name, key) key,
      NIDS_TUNNELS(NIDS_NAME)
#undef NIDS_NAME
  };
  if (tunnel.kind == NIDS_TUNNEL_NONE || tunnel.kind >= NIDS_TUNNEL_COUNT) return {};
  return kNames[tunnel.kind] + (tunnel.has_id != 0 ? " " + std::to_string(tunnel.id) : "");
}

std::string json_text(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace nids
