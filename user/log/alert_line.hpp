// SPDX-License-Identifier: Apache-2.0
// An alert as one line for a person at a terminal. Never prints, and never asks what a terminal
// can do.
#pragma once

#include <string>

#include "analyse/alert.hpp"

namespace nids {

// "10:00:00.123  [2] ssh      10.0.0.2:40000 -> 10.0.0.1:22     SIGNATURE [9000:1001]", time in
// UTC, without a newline.
std::string alert_line(const Alert& alert, bool colour);

}  // namespace nids
