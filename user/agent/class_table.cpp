// SPDX-License-Identifier: Apache-2.0
#include "agent/class_table.hpp"

#include <cstring>

namespace nids {

std::vector<nids_class> abi_classes(const Config& config) {
  std::vector<nids_class> classes(NIDS_CLASS_MAX);
  for (std::size_t i = 0; i < config.classes.size() && i + 1 < classes.size(); ++i) {
    const ProtocolClass& from = config.classes[i];
    nids_class& to = classes[i + 1];
    std::strncpy(to.name, from.name.c_str(), sizeof(to.name) - 1);
    to.depth_bytes = from.depth_bytes;
    to.interest = static_cast<std::uint8_t>(from.interest);
    to.severity = static_cast<std::uint8_t>(from.severity);
  }
  return classes;
}

std::unique_ptr<nids_port_classes> abi_ports(const Config& config) {
  auto ports = std::make_unique<nids_port_classes>();
  for (std::size_t i = 0; i < config.classes.size() && i + 1 < NIDS_CLASS_MAX; ++i)
    for (const PortRange& range : config.classes[i].ports) {
      auto& table = range.l4_proto == 17 ? ports->udp : ports->tcp;
      for (std::uint32_t port = range.first; port <= range.last; ++port)
        table[port] = static_cast<std::uint8_t>(i + 1);
    }
  return ports;
}

std::vector<FlaggedProtocol::Class> flagged_classes(const Config& config) {
  std::vector<FlaggedProtocol::Class> classes(1);
  for (const ProtocolClass& from : config.classes)
    classes.push_back({from.name, from.signature_id, from.severity, from.technique});
  return classes;
}

}  // namespace nids
