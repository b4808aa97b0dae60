// SPDX-License-Identifier: Apache-2.0
// Reloads the classes of the configuration in the programs and in the agent: all of them or none.
// Names the other keys that differ, which need a restart. Opens no file.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/agent_process.hpp"
#include "agent/class_index.hpp"
#include "agent/request.hpp"
#include "kernel/attachment.hpp"

namespace nids {

struct ReloadOutcome {
  bool is_done = false;
  std::string text;  // the changes, or why it was refused; no line feed at the end
};

// The state that a reload changes.
// Dropped ones too, because the agent reads them to its end.
using Attachments = std::vector<std::reference_wrapper<const Attachment>>;

struct Reloadable {
  AttachRequest& request;
  ClassIndexes& classes;
  const Attachments& attachments;
  AgentProcess& agent;
};

// Waits for the agent: a few seconds at most, longer if the rings are large.
ReloadOutcome reload(const Reloadable& running);

}  // namespace nids
