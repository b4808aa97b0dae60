// SPDX-License-Identifier: Apache-2.0
// Ends and offsets as the bytes that the index holds: most of its size. Trusts no byte that it
// reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "net/ends.hpp"

namespace nids {

using IndexBytes = std::vector<std::byte>;

// Empty for no ends (ip_version 0).
IndexBytes pack_ends(const Ends& ends);
std::optional<Ends> unpack_ends(std::span<const std::byte> bytes);

// Ascending numbers, each the difference to the one before in 7 bits a byte (LEB128).
IndexBytes pack_offsets(std::span<const std::uint64_t> offsets);
std::optional<std::vector<std::uint64_t>> unpack_offsets(std::span<const std::byte> bytes);

}  // namespace nids
