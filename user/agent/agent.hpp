// SPDX-License-Identifier: Apache-2.0
// The agent proper: takes records from the rings and gives them to the pipeline, without any
// privilege. Attaches and removes nothing.
#pragma once

#include <vector>

#include "agent/control.hpp"
#include "agent/pipeline.hpp"
#include "kernel/attachment.hpp"
#include "kernel/flow_maps.hpp"

namespace nids {

// An interface with its rings, opened while that was still allowed.
struct Watched {
  const Attachment* attachment;
  std::vector<Fd> rings;
  FlowMaps tables;
};

// What the agent tells its parent over `control_fd`, a byte each: that it takes records, and that
// Pipeline::has_enough(), upon which it goes on counting until it is ended.
constexpr char kAgentRuns = '!';
constexpr char kAgentHasEnough = '#';

// Runs until `control_fd` is readable or at its end; then takes what is left in the rings and tells
// all flows. Returns an error where it could not go on. `ticks` is any moment before; `control` may
// be null.
[[nodiscard]] Result<void> run_agent(const std::vector<Watched>& interfaces,
                                     const TickSample& ticks, Pipeline& pipeline, Control* control,
                                     int control_fd);

}  // namespace nids
