// SPDX-License-Identifier: Apache-2.0
// Names of ports out of /etc/services, read once. Asks no name service: only the file counts.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace nids {

class Services {
 public:
  // Of services(5)'s form; lines of any other are passed over.
  static Services parse(std::string_view text);
  // Empty where the file can't be read: ports then stay numbers.
  static Services load(const std::string& path = "/etc/services");

  // TCP, UDP and SCTP; empty where the port has no name.
  std::string_view name_of(std::uint16_t port, std::uint8_t l4_proto) const;
  // By name or alias, of whichever protocol comes first in the file.
  std::optional<std::uint16_t> port_of(std::string_view name) const;

 private:
  void add(std::string_view line);

  std::unordered_map<std::uint32_t, std::string> names_;  // by protocol << 16 | port
  std::map<std::string, std::uint16_t, std::less<>> ports_;
};

}  // namespace nids
