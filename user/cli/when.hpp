// SPDX-License-Identifier: Apache-2.0
// Moments as people type them. Asks no clock.
#pragma once

#include <optional>
#include <string_view>

#include "nids/result.hpp"
#include "nids/time.hpp"

namespace nids {

// ISO 8601, "2026-11-22T10:00:00", UTC as all times that are printed, or with "Z", "+0000" or
// "+01:00" behind it; seconds, their fraction and the time of day may be left out, and a blank may
// stand for the T. Or how long ago: "10m", "-1h", "2d"; or "now".
Result<WallTime> parse_when(std::string_view text, WallTime now);

// An error, which is a usage error: no time is not before the one and not behind the other.
Result<void> in_order(const std::optional<WallTime>& since, const std::optional<WallTime>& until);

}  // namespace nids
