// SPDX-License-Identifier: Apache-2.0
// Which class has which index. A class keeps its index as long as it keeps its name. The index of a
// class that was removed stays its own until another class needs it. Reads no map.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "kernel/class_tables.hpp"
#include "nids/abi/config.h"
#include "nids/result.hpp"

namespace nids {

struct IndexedClass {
  ProtocolClass rule;       // its name is empty: the index is not in use
  bool is_retired = false;  // removed: flows that have it keep its name, and no other flow gets it
  std::uint32_t reloads = 0;  // since it was removed
  bool operator==(const IndexedClass&) const = default;
};
using ClassIndexes = std::vector<IndexedClass>;  // NIDS_CLASS_MAX of them; index 0: no class

// For programs and agents that begin anew.
ClassIndexes indexes_in_order(const std::vector<ProtocolClass>& classes);

// What programs of an earlier agent have, all of it retired: place_classes() finds what goes on.
ClassIndexes indexes_of(std::span<const nids_class> classes);

// False, and nothing is changed, if the two disagree about an index or a name.
bool add_indexes(ClassIndexes& all, const ClassIndexes& more);

ClassSet retired_classes(const ClassIndexes& classes);

struct PlacedClasses {
  ClassIndexes classes;
  ClassSet reused;  // they were of another class before, and must be taken from its flows
};
// Gives each class its index. If none is unused, it takes that of a class that was retired before:
// one that is not in `held`, else the one that was removed first. An error: there are too few.
[[nodiscard]] Result<PlacedClasses> place_classes(const ClassIndexes& before,
                                                  const std::vector<ProtocolClass>& classes,
                                                  const ClassSet& held);

}  // namespace nids
