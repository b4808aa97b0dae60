// SPDX-License-Identifier: Apache-2.0
// Assigns an index to each class. A class keeps its index as long as it keeps its name. A removed
// class keeps its index until another class needs the index. Reads no map.
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

// For new programs: each class gets the next index.
ClassIndexes indexes_in_order(const std::vector<ProtocolClass>& classes);

// The classes of an earlier agent's programs, all retired: place_classes() revives those that the
// configuration has.
ClassIndexes indexes_of(std::span<const nids_class> classes);

// Returns false and changes nothing if the two disagree about an index or a name.
bool add_indexes(ClassIndexes& all, const ClassIndexes& more);

ClassSet retired_classes(const ClassIndexes& classes);

struct PlacedClasses {
  ClassIndexes classes;
  ClassSet reused;  // indexes that another class had; its flows must lose them
};
// Gives each class its index. If no index is unused, a class gets the index of a class that was
// retired before: one that is not in `held`, else the one removed first. Returns an error if there
// are too few.
[[nodiscard]] Result<PlacedClasses> place_classes(const ClassIndexes& before,
                                                  const std::vector<ProtocolClass>& classes,
                                                  const ClassSet& held);

}  // namespace nids
