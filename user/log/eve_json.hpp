// SPDX-License-Identifier: Apache-2.0
// The words that every EVE line shares, and flows' JSON with them. Writes no whole line.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "net/ends.hpp"
#include "nids/time.hpp"

namespace nids {

// "2026-11-22T10:00:00.123456+0000"
std::string eve_timestamp(WallTime time);
// Of that very form only, and only what eve_timestamp() would write.
std::optional<WallTime> parse_eve_timestamp(std::string_view text);

// Suricata's names; it prints what it has no name for as three digits.
std::string protocol_name(std::uint8_t l4_proto);
std::optional<std::uint8_t> protocol_number(std::string_view name);

bool has_ports(std::uint8_t l4_proto);
bool is_icmp(std::uint8_t l4_proto);

void add_vlan(nlohmann::ordered_json& line, const Ends& ends);
// Addresses, ports, protocol and IP version, src being the client; nothing where it is not of IP.
void add_ends(nlohmann::ordered_json& line, const Ends& ends, bool with_ports = true);
// Adds `tunnel`, Suricata's object of the outer headers. Adds nothing outside a tunnel.
void add_tunnel(nlohmann::ordered_json& line, const TunnelEnds& tunnel);
// Kind and identifier of the tunnel: "gre", "gre 7", "vxlan 42". Empty outside a tunnel.
std::string tunnel_text(const TunnelEnds& tunnel);

// On one line, and valid UTF-8 whatever is in it.
std::string json_text(const nlohmann::ordered_json& value);

}  // namespace nids
