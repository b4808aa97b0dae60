// SPDX-License-Identifier: Apache-2.0
// The two ends of a connection, told apart by who opened it. Holds no traffic.
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

}  // namespace nids
