// SPDX-License-Identifier: Apache-2.0
// The words of problems: hostile text made safe to print, and the name that was probably meant.
// Private to config; never decides what is a problem.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "nids/abi/lists.h"

namespace nids {

inline constexpr std::array kInterestNames{
#define NIDS_KEY(constant, key, meaning) std::string_view(key),
    NIDS_INTERESTS(NIDS_KEY)
#undef NIDS_KEY
};

// UTF-8 with each control character (C0, DEL, C1) as \xNN, shortened to about `max_bytes`.
std::string visible(std::string_view text, std::size_t max_bytes = 80);

// visible(), in double quotes.
std::string quoted(std::string_view text);

// The candidate nearest by edit distance; empty where none is near.
std::string_view nearest(std::string_view name, std::span<const std::string_view> candidates);

// "; did you mean "ssh"?", else "; there are ssh, telnet, ...".
std::string suggestion(std::string_view name, std::span<const std::string_view> candidates);

}  // namespace nids
