// SPDX-License-Identifier: Apache-2.0
// The metrics of the interfaces of this agent, read from counters that are mapped. Makes no system
// call, so that a confined thread may use it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "kernel/maps.hpp"

namespace nids {

struct MeteredInterface {
  std::string name;
  KernelReading first;  // what does not change is taken from it: modes, sizes, classes
  std::span<const nids_counters> blocks;
  const nids_agent_counters* agent;
};

std::string live_metrics(const std::vector<MeteredInterface>& interfaces);

}  // namespace nids
