// SPDX-License-Identifier: Apache-2.0
// When records were last lost because a ring was full: the program's counters only grow. Reads no
// clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>

#include "nids/abi/counters.h"

namespace nids {

inline constexpr std::chrono::nanoseconds kRingLossIsRecent = std::chrono::minutes(1);

// Of the agent, a few times a second: what the blocks of all CPUs say, on CLOCK_MONOTONIC.
void note_ring_loss(std::span<const nids_counters> blocks, std::uint64_t now_ns,
                    nids_agent_counters& agent);

// Of a reader: whether records were lost in the last minute, or since the agent looked last, which
// may be long ago where it hangs or is gone. `sum` is that of all CPUs.
bool is_ring_loss_recent(const nids_counters& sum, const nids_agent_counters& agent,
                         std::uint64_t now_ns);

}  // namespace nids
