// SPDX-License-Identifier: Apache-2.0
// What a classic BPF program would look at, found without any packet. Runs nothing.
#pragma once

#include <span>
#include <string>

#include "flow/flow_filter.hpp"

namespace nids {

struct FilterFindings {
  std::string untold;      // what it asks for that no flow tells; empty: nothing
  bool can_match = false;  // some flow
};

// Of a program whose jumps go forward and that ends in a return.
FilterFindings look_through(std::span<const FilterInstruction> program);

}  // namespace nids
