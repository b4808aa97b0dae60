// SPDX-License-Identifier: Apache-2.0
// Puts the classes of a configuration that was read again in force: in the programs, and in the
// agent. It is done whole or not at all. Names what needs a restart. Opens no file.
#pragma once

#include <string>
#include <vector>

#include "agent/agent_process.hpp"
#include "agent/class_index.hpp"
#include "agent/request.hpp"
#include "kernel/attachment.hpp"

namespace nids {

struct ReloadOutcome {
  bool is_done = false;
  std::string text;  // what changed, or why nothing did; lines without the last line feed
};

// What a reload changes.
struct Reloadable {
  AttachRequest& request;
  ClassIndexes& classes;
  const std::vector<Attachment>& attachments;
  AgentProcess& agent;
};

// Waits a few seconds for the agent at most.
ReloadOutcome reload(const Reloadable& running);

}  // namespace nids
