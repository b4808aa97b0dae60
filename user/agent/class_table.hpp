// SPDX-License-Identifier: Apache-2.0
// The configured classes in the forms that the first pass and the analysers take. Decides nothing.
#pragma once

#include <memory>
#include <vector>

#include "analyse/flagged_protocol.hpp"
#include "config/config.hpp"
#include "nids/abi/config.h"

namespace nids {

std::vector<nids_class> abi_classes(const Config& config);  // NIDS_CLASS_MAX of them
std::unique_ptr<nids_port_classes> abi_ports(const Config& config);
std::vector<FlaggedProtocol::Class> flagged_classes(const Config& config);

}  // namespace nids
