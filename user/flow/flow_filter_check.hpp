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

// Flows differ in tags, IP version and protocol: so many kinds.
inline constexpr unsigned kFilterLayouts = 3 * 2 * 256;

// Adds what a program, whose jumps go forward and that ends in a return, does with all flows of one
// layout. Some microseconds.
void look_through(std::span<const FilterInstruction> program, unsigned layout,
                  FilterFindings& findings);

}  // namespace nids
