// SPDX-License-Identifier: Apache-2.0
#include "agent/class_table.hpp"

#include <cstring>

namespace nids {

std::vector<nids_class> abi_classes(const Config& config, const ClassIndexes& classes) {
  std::vector<nids_class> all(NIDS_CLASS_MAX);
  all[0].interest = static_cast<std::uint8_t>(config.flow.unclassified);
  all[0].depth_bytes = ProtocolClass{}.depth_bytes;
  all[0].identify_packets = ProtocolClass{}.identify_packets;
  for (std::size_t i = 1; i < all.size(); ++i) {
    const ProtocolClass& from = classes[i].rule;
    if (from.name.empty()) continue;
    nids_class& to = all[i];
    std::strncpy(to.name, from.name.c_str(), sizeof(to.name) - 1);
    to.depth_bytes = from.depth_bytes;
    to.identify_packets = from.identify_packets;
    to.interest = static_cast<std::uint8_t>(from.interest);
    to.severity = static_cast<std::uint8_t>(from.severity);
    to.flags = classes[i].is_retired ? NIDS_CLASS_RETIRED : 0;
  }
  return all;
}

std::vector<nids_class> abi_classes(const Config& config) {
  return abi_classes(config, indexes_in_order(config.classes));
}

std::uint32_t features_of(nids_interest interest) {
  switch (interest) {
    case NIDS_INTEREST_CAPTURE:
      return NIDS_FEATURE_CAPTURE;
    case NIDS_INTEREST_HEADERS:
      return NIDS_FEATURE_HEADERS;
    case NIDS_INTEREST_BYPASS:
      return NIDS_FEATURE_BYPASS;
    case NIDS_INTEREST_INSPECT:
      return NIDS_FEATURE_INSPECT;
    case NIDS_INTEREST_IDENTIFY:  // a command may change the flow to capture
      return NIDS_FEATURE_IDENTIFY | NIDS_FEATURE_COMMANDS | NIDS_FEATURE_CAPTURE;
    default:
      return 0;
  }
}

std::uint32_t abi_features(const Config& config) {
  std::uint32_t features = config.findings ? NIDS_FEATURE_FINDINGS : 0;
  for (const ProtocolClass& one : config.classes) features |= features_of(one.interest);
  features |= features_of(config.flow.unclassified);
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
  CapturePolicy::Limits limits{.flow_depth_bytes = retain.flow_depth_bytes, .classes = {}};
  if (!keeps_packets) return limits;
  for (const auto& [severity, kept] :
       {std::pair{1u, retain.severity_1}, {2u, retain.severity_2}, {3u, retain.severity_3}})
    limits.by_severity[severity] = kept == Config::Retain::kKeptHeaders
                                       ? KeptAmount{Kind::kHeaders, retain.flow_depth_bytes}
                                       : KeptAmount{Kind::kWhole, kept};
  return limits;
}

std::unique_ptr<nids_port_classes> abi_ports(const ClassIndexes& classes) {
  auto ports = std::make_unique<nids_port_classes>();
  for (std::size_t i = 1; i < classes.size(); ++i)
    for (const PortRange& range : classes[i].rule.ports) {
      auto& table = range.l4_proto == 17 ? ports->udp : ports->tcp;
      for (std::uint32_t port = range.first; port <= range.last; ++port)
        table[port] = static_cast<std::uint8_t>(i);
    }
  return ports;
}

std::unique_ptr<nids_port_classes> abi_ports(const Config& config) {
  return abi_ports(indexes_in_order(config.classes));
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

ClassRules class_rules(const Config& config, const ClassIndexes& classes) {
  ClassRules rules{.flagged = {}, .wanted = abi_classes(config, classes), .names = {}};
  for (const auto& [from, is_retired, reloads] : classes) {
    const bool is_flagged = !from.name.empty() && from.interest != NIDS_INTEREST_COUNT &&
                            from.interest != NIDS_INTEREST_BYPASS;
    rules.flagged.push_back({from.name, from.signature_id, from.severity, from.technique,
                             is_flagged, from.interest == NIDS_INTEREST_IDENTIFY});
    rules.names.push_back(from.name);
  }
  return rules;
}

}  // namespace nids
