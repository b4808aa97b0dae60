// SPDX-License-Identifier: Apache-2.0
// Describes the differences between two configurations, for people. Applies nothing.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"

namespace nids {

// A line for each class that was added, changed or removed: "class ssh: severity 2 -> 1".
std::vector<std::string> class_changes(const std::vector<ProtocolClass>& before,
                                       const std::vector<ProtocolClass>& now);

// The names of all other keys whose values differ, such as "flow.slots_per_cpu".
std::vector<std::string> changed_keys(const Config& before, const Config& now);

}  // namespace nids
