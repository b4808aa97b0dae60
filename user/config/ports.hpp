// SPDX-License-Identifier: Apache-2.0
// Ports as text ("udp/5060-5061"), and which class each port belongs to. Private to config; knows
// no TOML.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "nids/result.hpp"

namespace nids {

Result<PortRange> parse_ports(std::string_view text);
std::string ports_text(const PortRange& range);

class PortOwners {
 public:
  PortOwners();

  struct Clash {
    PortRange port;  // the first that is taken
    std::size_t owner;
  };

  // Gives the range to `owner` up to the first port that is taken, so that the work over all
  // ranges is bounded by the number of ports, whatever a file holds.
  std::optional<Clash> claim(const PortRange& range, std::size_t owner);

 private:
  std::vector<std::uint32_t> owners_;  // 0 free, else owner + 1; TCP, then UDP
};

}  // namespace nids
