// SPDX-License-Identifier: Apache-2.0
// The data of the protocol classes for workers and outputs, by class index. The object never
// changes: a reload makes a new one, and all workers switch to it at the same moment.
#pragma once

#include <string>
#include <vector>

#include "analyse/flow/flagged_protocol.hpp"
#include "nids/abi/config.h"

namespace nids {

struct ClassRules {
  std::vector<FlaggedProtocol::Class> flagged;
  std::vector<nids_class> wanted;  // what the first pass and the store want of flows
  // From NIDS_CLASS_MAX on: names for flows whose class index now belongs to another class.
  std::vector<std::string> names;
};

}  // namespace nids
