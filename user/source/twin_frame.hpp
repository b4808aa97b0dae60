// SPDX-License-Identifier: Apache-2.0
// A frame of a capture as the native twin takes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "firstpass/twin.h"
#include "nids/time.hpp"
#include "source/capture_file.hpp"

namespace nids {

// Of a link type that link_layer() takes; the bytes outlive what is returned.
nids_twin_frame twin_frame(std::span<const std::byte> bytes, std::uint32_t wire_len, WallTime time,
                           int dlt);
nids_twin_frame twin_frame(const Frame& frame, int dlt);

}  // namespace nids
