// SPDX-License-Identifier: Apache-2.0
// The flow of a captured frame, as the native twin parses the frame. Has no state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "net/flow_identity.hpp"

namespace nids {

// `dlt` is a link type that link_layer() accepts. Returns nothing if the frame belongs to no flow.
std::optional<FlowIdentity> flow_of_frame(std::span<const std::byte> bytes, std::uint32_t wire_len,
                                          int dlt);

}  // namespace nids
