// SPDX-License-Identifier: Apache-2.0
// An address and a port, as the configuration names them and a stage sends to. Resolves nothing.
#pragma once

#include <array>
#include <cstdint>

namespace nids {

struct Endpoint {
  std::uint8_t ip_version = 0;             // 4 or 6; 0: none
  std::array<std::uint8_t, 16> address{};  // in network order; IPv4 has the first 4 bytes
  std::uint16_t port = 0;
  bool operator==(const Endpoint&) const = default;
};

}  // namespace nids
