// SPDX-License-Identifier: Apache-2.0
// The kernel's flow tables as FlowReader takes them. Owns nothing.
#pragma once

#include <algorithm>
#include <bit>

#include "kernel/flow_maps.hpp"
#include "source/flow_reader.hpp"

namespace nids {

// Good as long as `maps` is.
inline FlowTables tables_of(const FlowMaps& maps) {
  FlowTables tables{.counters = &maps.counters[0],
                    .sets4 = &maps.sets4[0],
                    .sets6 = &maps.sets6[0],
                    .cells = &maps.cells[0],
                    .cpus = maps.info.cpus,
                    .sets4_per_cpu = maps.info.sets4_per_cpu,
                    .sets6_per_cpu = maps.info.sets6_per_cpu,
                    .cell_bits = maps.cell_bits(),
                    .ifindex = maps.info.ifindex};
  std::ranges::copy(maps.hash_keys.word, tables.hash_keys.begin());
  return tables;
}

}  // namespace nids
