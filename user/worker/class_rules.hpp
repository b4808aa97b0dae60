// SPDX-License-Identifier: Apache-2.0
// What workers and outputs know of the protocol classes, by class index. It never changes: a reload
// makes another one, and all workers take it at the same moment.
#pragma once

#include <string>
#include <vector>

#include "analyse/flow/flagged_protocol.hpp"
#include "nids/abi/config.h"

namespace nids {

struct ClassRules {
  std::vector<FlaggedProtocol::Class> flagged;
  std::vector<nids_class> wanted;  // of their flows
  // Those from NIDS_CLASS_MAX on are of flows whose class index now belongs to another class.
  std::vector<std::string> names;
};

}  // namespace nids
