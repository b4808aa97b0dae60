// SPDX-License-Identifier: Apache-2.0
// Who a process is, so that a pid used again is not mistaken for it. Signals nobody.
#pragma once

#include <cstdint>

#include "nids/abi/counters.h"

namespace nids {

// Clock ticks after boot at which the process began (field 22 of /proc/PID/stat); 0: no such
// process.
std::uint64_t process_start_ticks(std::uint64_t pid);

// Whether the agent that wrote these counters still runs.
bool agent_is_alive(const nids_agent_counters& counters);

}  // namespace nids
