// SPDX-License-Identifier: Apache-2.0
// The classes and ports of an attached program: which of its two tables is in force, writing the
// other one and switching, and which class indexes its flow tables still hold. Decides nothing
// (docs/adr/0020-classes-are-switched-by-one-index.md).
#pragma once

#include <bitset>
#include <cstdint>
#include <span>
#include <vector>

#include "kernel/flow_maps.hpp"
#include "kernel/maps.hpp"
#include "nids/abi/config.h"
#include "nids/result.hpp"

namespace nids {

using ClassSet = std::bitset<NIDS_CLASS_MAX>;  // by class index

// The classes in force, NIDS_CLASS_MAX of them.
[[nodiscard]] Result<std::vector<nids_class>> read_classes(const Maps& maps);

// Returns when every packet that was under way at the call has been processed, so that no program
// uses a table that was switched off before.
[[nodiscard]] Result<void> wait_for_packets();

// Writes the table that is not in force. Call wait_for_packets() before.
[[nodiscard]] Result<void> write_next_classes(const Maps& maps, std::span<const nids_class> classes,
                                              const nids_port_classes& ports);
// Puts the other table in force, from the next packet on.
[[nodiscard]] Result<void> switch_classes(const Maps& maps);

// Sets the counters of these classes to 0. Call it while no flow has them.
[[nodiscard]] Result<void> clear_class_counters(const Maps& maps, const ClassSet& classes);

// Those that a slot has.
ClassSet classes_in_slots(const FlowMaps& flows);

// Take these classes from all cells, or from all slots: the program then knows no class of such a
// flow. All of them must be retired in the table in force. Call wait_for_packets() before each:
// once no cell has a class, no slot gets it again, and no slot gives it to a cell.
void take_from_cells(const FlowMaps& flows, const ClassSet& classes);
void take_from_slots(const FlowMaps& flows, const ClassSet& classes);

}  // namespace nids
