// SPDX-License-Identifier: Apache-2.0
// The agent proper: takes records from the rings and gives them to the pipeline, without any
// privilege. Attaches and removes nothing.
#pragma once

#include <vector>

#include "agent/pipeline.hpp"
#include "kernel/attachment.hpp"

namespace nids {

// Runs until `control_fd` is readable or at its end; then takes what is left in the rings. Returns
// an error where it could not go on.
[[nodiscard]] Result<void> run_agent(const std::vector<Attachment>& attachments, Pipeline& pipeline,
                                     int control_fd);

}  // namespace nids
