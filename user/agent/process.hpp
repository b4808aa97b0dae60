// SPDX-License-Identifier: Apache-2.0
// Who a process is, so that a pid used again, or one of another PID namespace, is not mistaken for
// it. Signals nobody.
#pragma once

#include <cstdint>
#include <optional>

#include "nids/abi/counters.h"

namespace nids {

// What a process is known by, everywhere.
struct ProcessIdentity {
  std::uint64_t pid = 0;            // in its own PID namespace; 0: none
  std::uint64_t start_ticks = 0;    // clock ticks after boot (field 22 of /proc/PID/stat)
  std::uint64_t pid_namespace = 0;  // inode; 0: not told, so this one
};

ProcessIdentity this_process();
// The parent, and the process that takes records from the rings.
ProcessIdentity agent_process(const nids_agent_counters& counters);
ProcessIdentity reader_process(const nids_agent_counters& counters);

// Its pid as this process knows it; 0 where it is gone, nothing where that can't be told: from
// inside a PID namespace the processes of another one can't be seen.
std::optional<std::uint64_t> pid_here(const ProcessIdentity& process);

// Whether the agent that wrote these counters is not known to be gone.
bool may_be_alive(const nids_agent_counters& counters);

}  // namespace nids
