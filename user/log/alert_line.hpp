// SPDX-License-Identifier: Apache-2.0
// An alert as one line for a person at a terminal. Never prints, and never asks what a terminal
// can do.
#pragma once

#include <cstddef>
#include <string>

#include "alert/alert.hpp"
#include "nids/time.hpp"

namespace nids {

// "10:00:00.123", UTC
std::string clock_text(WallTime time);

struct AlertLineStyle {
  bool colour = false;
  bool with_date = false;  // for what may have been on another day
  std::size_t width = 0;   // of the terminal, in columns; 0: none, or not known
};

// "10:00:00.123 [2] 10.0.0.2:40000 -> 10.0.0.1:22     SIGNATURE [9000:1001]", time in UTC, without
// a newline. Signatures of IPv4 line up where the width allows; a line may be longer than it.
std::string alert_line(const Alert& alert, const AlertLineStyle& style);

}  // namespace nids
