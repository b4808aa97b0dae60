// SPDX-License-Identifier: Apache-2.0
// The time of day, for commands; what they call gets it as a value.
#pragma once

#include "nids/time.hpp"

namespace nids {

WallTime wall_now();

}  // namespace nids
