// SPDX-License-Identifier: Apache-2.0
// Client and server of a connection, and the outer ends of its tunnel. Holds no traffic.
#pragma once

#include <cstdint>

namespace nids {

// Ends of a connection in the direction client to server, whoever sent the packet.
struct Ends {
  std::uint8_t client[16]{};
  std::uint8_t server[16]{};
  std::uint16_t client_port = 0;
  std::uint16_t server_port = 0;
  std::uint16_t vlan[2]{};
  std::uint8_t l4_proto = 0;
  std::uint8_t ip_version = 0;
  bool operator==(const Ends&) const = default;
};

// The outer headers of a tunnelled connection. No padding: it is hashed as words.
struct TunnelEnds {
  std::uint8_t client[16]{};  // outer source of what the client inside sends
  std::uint8_t server[16]{};
  std::uint32_t id = 0;         // VXLAN network identifier or GRE key, if has_id
  std::uint8_t kind = 0;        // enum nids_tunnel; NIDS_TUNNEL_NONE: the connection is in none
  std::uint8_t ip_version = 0;  // of the outer header
  std::uint8_t has_id = 0;
  std::uint8_t is_vxlan_linux = 0;  // to port 8472 instead of 4789
  bool operator==(const TunnelEnds&) const = default;
};

}  // namespace nids
