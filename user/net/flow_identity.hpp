// SPDX-License-Identifier: Apache-2.0
// The complete key of a flow: its two ends and its tunnel. Holds no counts.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "nids/abi/flow.h"

namespace nids {

struct FlowIdentity {
  nids_flow_key key{};
  nids_flow_tunnel tunnel{};                          // all zero for a flow outside a tunnel
  bool operator==(const FlowIdentity& other) const {  // neither has padding
    return std::memcmp(&key, &other.key, sizeof(key)) == 0 &&
           std::memcmp(&tunnel, &other.tunnel, sizeof(tunnel)) == 0;
  }
};

// The 32-bit words of a key or tunnel, for hashes.
template <class T>
std::array<std::uint32_t, sizeof(T) / sizeof(std::uint32_t)> words_of(const T& object) {
  std::array<std::uint32_t, sizeof(T) / sizeof(std::uint32_t)> words;
  std::memcpy(words.data(), &object, sizeof(object));
  return words;
}

}  // namespace nids
