// SPDX-License-Identifier: Apache-2.0
// A hash of host keys that nobody outside can foresee.
#pragma once

#include <cstddef>

#include "analyse/host/host_event.hpp"

namespace nids {

// Strongly universal under secret random numbers of this process (multilinear, Lemire and Kaser
// 2014): attackers choose addresses, and may choose no collisions.
std::size_t host_hash(const HostKey& key) noexcept;

// The key of what is left of a source when its own keys found no room.
HostKey remainder_of(const HostKey& key);

}  // namespace nids
