// SPDX-License-Identifier: Apache-2.0
// The agent proper: takes records from the rings and gives them to the pipeline, without any
// privilege. Attaches and removes nothing.
#pragma once

#include <vector>

#include "agent/control.hpp"
#include "agent/parent_link.hpp"
#include "agent/pipeline.hpp"
#include "kernel/flow_maps.hpp"

namespace nids {

// An interface with its rings, opened while that was still allowed. Outlives the pipeline.
struct Watched {
  std::vector<Fd> rings;
  FlowMaps tables;
  Mapped<nids_agent_counters> counters;
};

// Runs until the parent says so or is gone; then takes what is left in the rings and tells all
// flows. Once Pipeline::has_enough() it tells so, and goes on counting. Returns an error where it
// could not go on. `ticks` is any moment before; `control` may be null.
[[nodiscard]] Result<void> run_agent(const std::vector<Watched>& interfaces,
                                     const TickSample& ticks, Pipeline& pipeline, Control* control,
                                     ParentLink& parent);

}  // namespace nids
