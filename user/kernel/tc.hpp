// SPDX-License-Identifier: Apache-2.0
// The tc hooks: a filter of our own handle on clsact, before all others where it can be. Never
// touches other filters.
#pragma once

#include <cstdint>
#include <string>

#include "nids/result.hpp"

namespace nids {

enum class TcHook { kIngress, kEgress };

// The program at our handle, whoever put it there; 0 for none.
[[nodiscard]] Result<std::uint32_t> filter_program(int ifindex, TcHook hook);

// Filters that packets meet before ours, and may not get past, in words; empty: none.
std::string filters_before_ours(int ifindex, TcHook hook);

// Returns whether the clsact qdisc had to be made.
[[nodiscard]] Result<bool> attach_filter(int ifindex, TcHook hook, int program_fd);

// Removes our filter where it still is that of `program_id`, and the qdisc where `created_clsact`
// and it is empty.
[[nodiscard]] Result<void> detach_filter(int ifindex, TcHook hook, std::uint32_t program_id,
                                         bool created_clsact);

}  // namespace nids
