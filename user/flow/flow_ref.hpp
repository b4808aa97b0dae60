// SPDX-License-Identifier: Apache-2.0
// A handle of a flow, valid while the flow is in its table, and the changes of a flow.
#pragma once

#include <cstdint>

namespace nids {

// An index of the table, and how often that index was used before, because indexes are reused.
struct FlowRef {
  std::uint32_t index = 0;  // 0: of no flow
  std::uint32_t generation = 0;
  bool operator==(const FlowRef&) const = default;
};

// kUpdate: the connection state or the history changed, or the other side sent its first packet.
enum class FlowChange : std::uint8_t { kStart, kUpdate, kEnd };

}  // namespace nids
