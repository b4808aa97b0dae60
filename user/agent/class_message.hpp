// SPDX-License-Identifier: Apache-2.0
// Encodes and decodes the message with the classes, from the parent to the agent. Sends nothing.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "agent/class_index.hpp"

namespace nids {

// Leaves out the ports, because only the programs need them.
std::vector<std::byte> encode_classes(const PlacedClasses& classes);

// Returns nothing if the message is invalid: encode_classes() never makes such a message.
std::optional<PlacedClasses> decode_classes(std::span<const std::byte> message);

extern const std::size_t kClassMessageBytes;

}  // namespace nids
