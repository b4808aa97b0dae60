// SPDX-License-Identifier: Apache-2.0
// Starts the workers and runs the control thread. The control thread serves the parent and clients,
// updates the state of the outputs and raises the alerts of the host analysers. Needs no privilege.
// Attaches and removes nothing.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/class_index.hpp"
#include "agent/control.hpp"
#include "agent/parent_link.hpp"
#include "config/config.hpp"
#include "kernel/flow_maps.hpp"
#include "output/outputs.hpp"
#include "worker/pipeline.hpp"

namespace nids {

// An interface with its rings, opened before privileges were dropped.
struct Watched {
  std::vector<Fd> rings;
  FlowMaps tables;
  MappedArray<nids_agent_counters> counters;  // of the outputs, then of each worker
};

// One worker for each ring of the interface with the most rings.
std::size_t number_of_workers(const std::vector<Watched>& interfaces);

struct AgentParts {
  const Config& config;
  const ClassIndexes& classes;
  const std::vector<Watched>& interfaces;
  TickSample ticks;  // taken at any earlier moment
  const Links& links;
  Outputs& outputs;  // watch() was called for all interfaces
  Selection selection;
  Pipeline::Steer steer;
  Fd control_listener;  // none: nobody can ask for flows
  ParentLink& parent;
  std::function<void(const std::vector<nids_class>&)> classes_changed;
  std::function<void(const std::string&)> warning;
};

// Runs until the parent sends the end or is gone. Then takes what is left in the rings and reports
// all flows. When Quota::has_enough() it tells the parent, and continues to count. Returns an error
// if it could not go on.
[[nodiscard]] Result<void> run_agent(AgentParts parts);

}  // namespace nids
