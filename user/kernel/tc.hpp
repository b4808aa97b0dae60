// SPDX-License-Identifier: Apache-2.0
// The egress hook: a filter of our own handle and priority on clsact. Never touches other filters.
#pragma once

#include <cstdint>

#include "nids/result.hpp"

namespace nids {

// The program at our handle and priority, whoever put it there; 0 for none.
std::uint32_t egress_program(int ifindex);

// Returns whether the clsact qdisc had to be made.
[[nodiscard]] Result<bool> attach_egress(int ifindex, int program_fd);

// Removes our filter where it still is that of `program_id`, and the qdisc where `created_clsact`
// and it is empty.
[[nodiscard]] Result<void> detach_egress(int ifindex, std::uint32_t program_id,
                                         bool created_clsact);

}  // namespace nids
