// SPDX-License-Identifier: Apache-2.0
// Tracks when records were last lost because a ring was full. Reads no clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>

#include "nids/abi/counters.h"

namespace nids {

inline constexpr std::chrono::nanoseconds kRingLossIsRecent = std::chrono::minutes(1);

// For the agent, a few times a second. `blocks` are those of all CPUs; the time is CLOCK_MONOTONIC.
void note_ring_loss(std::span<const nids_counters> blocks, std::uint64_t now_ns,
                    nids_agent_counters& agent);

// For readers: whether records were lost in the last minute or since the agent's last check. `sum`
// is the sum over all CPUs.
bool is_ring_loss_recent(const nids_counters& sum, const nids_agent_counters& agent,
                         std::uint64_t now_ns);

}  // namespace nids
