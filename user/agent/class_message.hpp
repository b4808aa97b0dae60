// SPDX-License-Identifier: Apache-2.0
// The classes in the form in which the parent sends them to the agent. Sends nothing.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "agent/class_index.hpp"

namespace nids {

// Without ports, which only the programs need.
std::vector<std::byte> encode_classes(const PlacedClasses& classes);

// Nothing if it is anything else than encode_classes() makes.
std::optional<PlacedClasses> decode_classes(std::span<const std::byte> message);

extern const std::size_t kClassMessageBytes;

}  // namespace nids
