// SPDX-License-Identifier: Apache-2.0
// The classes and ports of an attached program, in two tables. Reads the table in use, writes the
// other one and switches. Finds and removes class indexes in the flow tables. Decides nothing
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

// The classes in use, NIDS_CLASS_MAX of them.
[[nodiscard]] Result<std::vector<nids_class>> read_classes(const Maps& maps);

// Returns when every packet that was under way at the call has been processed. After that, no
// program uses the table that was in use before the last switch.
[[nodiscard]] Result<void> wait_for_packets();

// Writes the table that is not in use. Call wait_for_packets() before.
[[nodiscard]] Result<void> write_next_classes(const Maps& maps, std::span<const nids_class> classes,
                                              const nids_port_classes& ports);
// Switches to the other table, from the next packet on. flip() cannot fail.
class ClassSwitch {
 public:
  [[nodiscard]] static Result<ClassSwitch> of(const Maps& maps);
  void flip() const;

 private:
  explicit ClassSwitch(Mapped<std::uint32_t> table) : table_(std::move(table)) {}
  Mapped<std::uint32_t> table_;
};

// Sets the counters of these classes to 0. Call it while no flow has them.
[[nodiscard]] Result<void> clear_class_counters(const Maps& maps, const ClassSet& classes);

// The classes that some slot has.
ClassSet classes_in_slots(const FlowMaps& flows);

// Remove these classes from all cells, or from all slots: the program then counts such a flow
// without a class. All of them must be retired in the table in use. Call wait_for_packets() before
// each: once no cell has a class, no slot gets it again, and no slot gives it to a cell.
void take_from_cells(const FlowMaps& flows, const ClassSet& classes);
void take_from_slots(const FlowMaps& flows, const ClassSet& classes);

}  // namespace nids
