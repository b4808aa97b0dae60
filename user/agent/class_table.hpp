// SPDX-License-Identifier: Apache-2.0
// The configured classes in the forms that the first pass and the analysers take. Decides nothing.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "agent/class_index.hpp"
#include "config/config.hpp"
#include "kernel/object.hpp"
#include "nids/abi/config.h"
#include "retain/policy.hpp"
#include "worker/class_rules.hpp"

namespace nids {

// All tables are by class index. Without `classes`, the classes of the configuration have indexes
// in the order of the file.
std::vector<nids_class> abi_classes(const Config& config, const ClassIndexes& classes);
std::vector<nids_class> abi_classes(const Config& config);
std::unique_ptr<nids_port_classes> abi_ports(const ClassIndexes& classes);
std::unique_ptr<nids_port_classes> abi_ports(const Config& config);

std::uint32_t abi_features(const Config& config);  // NIDS_FEATURE_* that its classes need
std::uint32_t features_of(nids_interest interest);
// What programs are loaded with; `classes` and `ports` are pointed at.
ProgramSetup program_setup(const Config& config, std::span<const nids_class> classes,
                           const nids_port_classes& ports);
ClassRules class_rules(const Config& config, const ClassIndexes& classes);
// Where nothing is kept, an alert makes no flow wanted more than before.
CapturePolicy::Limits capture_limits(const Config& config, bool keeps_packets);

}  // namespace nids
