// SPDX-License-Identifier: Apache-2.0
// The agent's process from the fork to its end: takes what it needs, gives up every privilege, and
// reads records until its parent ends it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/class_index.hpp"
#include "config/config.hpp"
#include "kernel/attachment.hpp"
#include "worker/pipeline.hpp"

namespace nids {

struct ChildParts {
  const Config& config;
  const ClassIndexes& classes;
  std::vector<Attachment>& attachments;  // of their maps only those stay open that it needs
  const Links& links;                    // only interfaces that are still attached
  Sinks sinks;
  Fd link;              // to the parent
  Fd control_listener;  // none: nobody can ask for flows
  Fd metrics_listener;  // empty: metrics are not served
  int parent;           // its pid
  const Selection& selection;
  std::function<void(const std::string&)> warning, error;
  std::function<void()> confined;  // called once it is; may be null
};

// Before run_child(): a session without a terminal, no environment, no descriptor that the parent's
// caller left open, and standard output and error that are these pipes.
[[nodiscard]] Result<void> leave_terminal(Fd out, Fd err);

[[noreturn]] void run_child(ChildParts parts);

}  // namespace nids
