// SPDX-License-Identifier: Apache-2.0
// The flow tables of a program, mapped into this process, and what their ticks mean. Reads nothing
// of them.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "kernel/handle.hpp"
#include "kernel/maps.hpp"
#include "nids/abi/event.h"
#include "nids/result.hpp"
#include "nids/time.hpp"

namespace nids {

// Mapped while the process may; good afterwards without any privilege.
struct FlowMaps {
  nids_info info{};
  nids_hash_keys_value hash_keys{};
  MappedArray<nids_counters> counters;  // a block a CPU
  MappedArray<nids_flow4_set> sets4;    // those of a CPU follow one another
  MappedArray<nids_flow6_set> sets6;
  MappedArray<nids_flow_cell> cells;

  // Of the number of a cell.
  std::uint32_t cell_bits() const {
    return static_cast<std::uint32_t>(std::bit_width(info.cells) - 1);
  }

  [[nodiscard]] static Result<FlowMaps> of(const Maps& maps);
};

// One moment by two clocks. Jiffies follow CLOCK_MONOTONIC, so that one sample is good for ever.
struct TickSample {
  MonoTime time;
  std::uint32_t ticks = 0;  // the low half of jiffies
  std::uint32_t tick_ns = 1;

  std::uint32_t ticks_at(MonoTime now) const {
    return ticks + static_cast<std::uint32_t>((now.ns - time.ns) / tick_ns);
  }
};

// Needs the privilege to load a program: nothing else tells jiffies.
[[nodiscard]] Result<TickSample> sample_ticks(std::uint32_t tick_ns);

}  // namespace nids
