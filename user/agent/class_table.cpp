// SPDX-License-Identifier: Apache-2.0
#include "agent/class_table.hpp"

#include <cstring>

namespace nids {

std::vector<nids_class> abi_classes(const Config& config) {
  std::vector<nids_class> classes(NIDS_CLASS_MAX);
  classes[0].interest = static_cast<std::uint8_t>(config.flow.unclassified);
  classes[0].depth_bytes = ProtocolClass{}.depth_bytes;
  classes[0].identify_packets = ProtocolClass{}.identify_packets;
  for (std::size_t i = 0; i < config.classes.size() && i + 1 < classes.size(); ++i) {
    const ProtocolClass& from = config.classes[i];
    nids_class& to = classes[i + 1];
    std::strncpy(to.name, from.name.c_str(), sizeof(to.name) - 1);
    to.depth_bytes = from.depth_bytes;
    to.identify_packets = from.identify_packets;
    to.interest = static_cast<std::uint8_t>(from.interest);
    to.severity = static_cast<std::uint8_t>(from.severity);
  }
  return classes;
}

std::uint32_t abi_features(const Config& config) {
  std::uint32_t features = config.findings ? NIDS_FEATURE_FINDINGS : 0;
  const auto want = [&](nids_interest interest) {
    if (interest == NIDS_INTEREST_CAPTURE) features |= NIDS_FEATURE_CAPTURE;
    if (interest == NIDS_INTEREST_HEADERS) features |= NIDS_FEATURE_HEADERS;
    if (interest == NIDS_INTEREST_BYPASS) features |= NIDS_FEATURE_BYPASS;
    if (interest == NIDS_INTEREST_INSPECT) features |= NIDS_FEATURE_INSPECT;
    // What is identified may become captured, by a command.
    if (interest == NIDS_INTEREST_IDENTIFY)
      features |= NIDS_FEATURE_IDENTIFY | NIDS_FEATURE_COMMANDS | NIDS_FEATURE_CAPTURE;
  };
  for (const ProtocolClass& one : config.classes) want(one.interest);
  want(config.flow.unclassified);
  if (config.flow.unclassified != NIDS_INTEREST_COUNT) features |= NIDS_FEATURE_UNCLASSIFIED;
  if (!config.retain.enabled) return features;
  // An alert may raise any flow, and a depth ends what goes up of it.
  for (const std::uint64_t kept :
       {config.retain.severity_1, config.retain.severity_2, config.retain.severity_3})
    features |=
        NIDS_FEATURE_COMMANDS |
        (kept == Config::Retain::kKeptHeaders ? NIDS_FEATURE_HEADERS : NIDS_FEATURE_CAPTURE);
  return features;
}

CapturePolicy::Limits capture_limits(const Config& config, bool keeps_packets) {
  using Kind = KeptAmount::Kind;
  const auto& retain = config.retain;
  CapturePolicy::Limits limits{.flow_depth_bytes = retain.flow_depth_bytes,
                               .classes = abi_classes(config)};
  if (!keeps_packets) return limits;
  for (const auto& [severity, kept] :
       {std::pair{1u, retain.severity_1}, {2u, retain.severity_2}, {3u, retain.severity_3}})
    limits.by_severity[severity] = kept == Config::Retain::kKeptHeaders
                                       ? KeptAmount{Kind::kHeaders, retain.flow_depth_bytes}
                                       : KeptAmount{Kind::kWhole, kept};
  return limits;
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

ProgramSetup program_setup(const Config& config, std::span<const nids_class> classes,
                           const nids_port_classes& ports) {
  return {.slots_per_cpu = config.flow.slots_per_cpu,
          .ipv6_slots_per_cpu = config.flow.ipv6_slots_per_cpu,
          .rings = worker_count(config),
          .ring_bytes = config.ring.size_bytes,
          .snap_bytes = config.ring.snap_bytes,
          .sample_bytes = config.ring.sample_bytes,
          .sample_window = std::chrono::seconds(config.alert.suppress_seconds),
          .features = abi_features(config),
          .classes = classes,
          .ports = &ports};
}

std::vector<FlaggedProtocol::Class> flagged_classes(const Config& config) {
  std::vector<FlaggedProtocol::Class> classes(1);
  for (const ProtocolClass& from : config.classes) {
    const bool is_flagged =
        from.interest != NIDS_INTEREST_COUNT && from.interest != NIDS_INTEREST_BYPASS;
    classes.push_back({from.name, from.signature_id, from.severity, from.technique, is_flagged,
                       from.interest == NIDS_INTEREST_IDENTIFY});
  }
  return classes;
}

}  // namespace nids
