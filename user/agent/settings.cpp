// SPDX-License-Identifier: Apache-2.0
#include "agent/settings.hpp"

#include <algorithm>
#include <utility>

#include "agent/class_table.hpp"
#include "analyse/host/port_scan.hpp"

namespace nids {
namespace {

// By FlowPhase.
auto timeouts(const Config::Flow& config) {
  return decltype(FlowTable::Limits::timeout){
      std::chrono::seconds(config.tcp_new_seconds),
      std::chrono::seconds(config.tcp_established_seconds),
      std::chrono::seconds(config.tcp_closed_seconds),
      std::chrono::seconds(config.udp_seconds),
      std::chrono::seconds(config.icmp_seconds),
      std::chrono::seconds(config.other_seconds),
      FlowTable::Limits{}.timeout[std::size_t{kFlowPhases - 1}]};
}

}  // namespace

Pipeline::Settings pipeline_settings(const Config& config, bool keeps_packets, std::size_t workers,
                                     const ClassRules& classes, const Links& links) {
  const auto part = [&](std::uint64_t all) { return std::max<std::uint64_t>(1, all / workers); };
  CapturePolicy::Limits policy = capture_limits(config, keeps_packets);
  policy.classes = classes.wanted;
  return {.flows = {.max_flows = part(config.flow.max_tracked_flows),
                    .community_id_seed = config.community_id_seed,
                    .timeout = timeouts(config.flow),
                    .links = links},
          .interim = std::chrono::seconds(config.flow.interim_seconds),
          .classes = classes.flagged,
          .looks_for_scans = config.scan.enabled,
          .policy = std::move(policy),
          .hold = {.budget_bytes = part(config.retain.hold_budget_bytes),
                   .time = std::chrono::seconds(config.retain.hold_seconds)}};
}

Pipeline::Settings pipeline_settings(const Config& config, bool keeps_packets,
                                     std::size_t workers) {
  return pipeline_settings(config, keeps_packets, workers,
                           class_rules(config, indexes_in_order(config.classes)));
}

Outputs::Settings output_settings(const Config& config,
                                  std::map<std::uint32_t, std::string> interfaces,
                                  const ClassRules& classes, const Links& links) {
  return {.names = {.interfaces = std::move(interfaces), .classes = classes.names, .links = links},
          .eve_has_flows = config.eve.flows,
          .suppression = {.window = std::chrono::seconds(config.alert.suppress_seconds),
                          .max_entries = config.alert.max_suppressions,
                          .links = links}};
}

Outputs::Settings output_settings(const Config& config,
                                  std::map<std::uint32_t, std::string> interfaces) {
  return output_settings(config, std::move(interfaces),
                         class_rules(config, indexes_in_order(config.classes)));
}

std::vector<std::unique_ptr<HostAnalyser>> host_analysers(const Config& config) {
  std::vector<std::unique_ptr<HostAnalyser>> all;
  if (config.scan.enabled)
    all.push_back(std::make_unique<PortScan>(PortScan::Limits{
        .ports = config.scan.ports, .window = std::chrono::seconds(config.scan.window_seconds)}));
  return all;
}

}  // namespace nids
