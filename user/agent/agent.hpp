// SPDX-License-Identifier: Apache-2.0
// The agent proper: starts the workers, and is the control thread beside them: the parent, clients,
// the state of the outputs, the alerts of the host analysers. Needs no privilege. Attaches and
// removes nothing.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/control.hpp"
#include "agent/parent_link.hpp"
#include "config/config.hpp"
#include "kernel/flow_maps.hpp"
#include "output/outputs.hpp"
#include "worker/pipeline.hpp"

namespace nids {

// An interface with its rings, opened while that was still allowed.
struct Watched {
  std::vector<Fd> rings;
  FlowMaps tables;
  MappedArray<nids_agent_counters> counters;  // of the outputs, then of each worker
};

struct AgentParts {
  const Config& config;
  const std::vector<Watched>& interfaces;
  TickSample ticks;  // any moment before
  Outputs& outputs;  // that watch all interfaces
  Selection selection;
  Pipeline::Steer steer;
  Fd control_listener;  // none: nobody can ask for flows
  ParentLink& parent;
  std::function<void(const std::string&)> warning;
};

// Runs until the parent says so or is gone; then takes what is left in the rings and tells all
// flows. Once Quota::has_enough() it tells so, and goes on counting. Returns an error if it could
// not go on.
[[nodiscard]] Result<void> run_agent(AgentParts parts);

}  // namespace nids
