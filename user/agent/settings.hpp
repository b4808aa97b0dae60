// SPDX-License-Identifier: Apache-2.0
// Converts the configuration to the settings of workers, outputs and host analysers.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "analyse/host/host_analyser.hpp"
#include "config/config.hpp"
#include "net/links.hpp"
#include "output/outputs.hpp"
#include "worker/pipeline.hpp"

namespace nids {

// For one of `workers` workers: each has an equal part of the flows and of the memory for held
// packets.
Pipeline::Settings pipeline_settings(const Config& config, bool keeps_packets, std::size_t workers,
                                     const ClassRules& classes, const Links& links = {});
Pipeline::Settings pipeline_settings(const Config& config, bool keeps_packets,
                                     std::size_t workers = 1);  // classes in the file's order
// `interfaces`: names by ifindex.
Outputs::Settings output_settings(const Config& config,
                                  std::map<std::uint32_t, std::string> interfaces,
                                  const ClassRules& classes, const Links& links = {});
Outputs::Settings output_settings(const Config& config,
                                  std::map<std::uint32_t, std::string> interfaces);
std::vector<std::unique_ptr<HostAnalyser>> host_analysers(const Config& config);

}  // namespace nids
