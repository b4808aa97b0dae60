// SPDX-License-Identifier: Apache-2.0
// The flow of a frame of a capture, as the native twin parses the frame. Keeps no state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "net/flow_identity.hpp"

namespace nids {

// Of a link type that link_layer() takes. None: the frame belongs to no flow.
std::optional<FlowIdentity> flow_of_frame(std::span<const std::byte> bytes, std::uint32_t wire_len,
                                          int dlt);

}  // namespace nids
