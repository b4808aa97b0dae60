// SPDX-License-Identifier: Apache-2.0
// A handle of a flow, good for as long as the flow is in its table, and what happens to a flow.
#pragma once

#include <cstdint>

namespace nids {

// A place in the table and how often it has been used before: a place is used again.
struct FlowRef {
  std::uint32_t index = 0;  // 0: of no flow
  std::uint32_t generation = 0;
  bool operator==(const FlowRef&) const = default;
};

// kUpdate: the state of its connection or its history changed, or the other side sent for the first
// time.
enum class FlowChange : std::uint8_t { kStart, kUpdate, kEnd };

}  // namespace nids
