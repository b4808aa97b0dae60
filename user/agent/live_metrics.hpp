// SPDX-License-Identifier: Apache-2.0
// The metrics of the interfaces of this agent, read from mapped counters. Makes no system call,
// because the thread that calls it is confined.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "kernel/handle.hpp"
#include "kernel/maps.hpp"

namespace nids {

struct MeteredInterface {
  std::string name;
  KernelReading first;  // for what does not change: modes, sizes, classes
  std::span<const nids_counters> blocks;
  MappedArray<const nids_agent_counters> agent;
};

std::string live_metrics(const std::vector<MeteredInterface>& interfaces);

}  // namespace nids
