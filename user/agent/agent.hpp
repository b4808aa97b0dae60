// SPDX-License-Identifier: Apache-2.0
// The agent proper: takes records from the rings and gives them to the pipeline, without any
// privilege. Attaches and removes nothing.
#pragma once

#include <vector>

#include "agent/pipeline.hpp"
#include "kernel/attachment.hpp"

namespace nids {

// An interface with its rings, opened while that was still allowed.
struct Watched {
  const Attachment* attachment;
  std::vector<Fd> rings;
};

// Runs until `control_fd` is readable or at its end; then takes what is left in the rings. Returns
// an error where it could not go on.
[[nodiscard]] Result<void> run_agent(const std::vector<Watched>& interfaces, Pipeline& pipeline,
                                     int control_fd);

}  // namespace nids
