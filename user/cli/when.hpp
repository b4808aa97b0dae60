// SPDX-License-Identifier: Apache-2.0
// Moments as people type them. Asks no clock.
#pragma once

#include <string_view>

#include "nids/result.hpp"
#include "nids/time.hpp"

namespace nids {

// ISO 8601, "2026-11-22T10:00:00", with "Z", "+0000" or "+01:00" behind it, or else in local time;
// seconds, their fraction and the time of day may be left out, and a blank may stand for the T. Or
// how long ago: "10m", "-1h", "2d"; or "now".
Result<WallTime> parse_when(std::string_view text, WallTime now);

}  // namespace nids
