// SPDX-License-Identifier: Apache-2.0
// The twin's flow tables as FlowReader takes them. Owns nothing.
#pragma once

#include <algorithm>

#include "firstpass/first_pass.hpp"
#include "source/flow_reader.hpp"

namespace nids {

// Good as long as `pass` is.
inline FlowTables tables_of(const FirstPass& pass) {
  nids_twin& twin = pass.twin();
  FlowTables tables{.counters = &twin.counters,
                    .sets4 = twin.sets4,
                    .sets6 = twin.sets6,
                    .cells = twin.cells,
                    .cpus = 1,
                    .sets4_per_cpu = twin.set4_count,
                    .sets6_per_cpu = twin.set6_count,
                    .cell_bits = twin.cell_bits};
  std::ranges::copy(twin.hash_keys, tables.hash_keys.begin());
  return tables;
}

}  // namespace nids
