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
  ProtocolClass rule;         // an empty name: the index is not in use
  bool is_retired = false;    // removed: its flows keep its name, and no other flow gets it
  std::uint32_t reloads = 0;  // since the class was removed
  bool operator==(const IndexedClass&) const = default;
};
using ClassIndexes = std::vector<IndexedClass>;  // NIDS_CLASS_MAX of them; index 0: no class

// Returns the indexes for new programs: each class gets the next index.
ClassIndexes indexes_in_order(const std::vector<ProtocolClass>& classes);

// Returns the classes of an earlier agent's programs. All of them are retired; place_classes()
// revives the classes that the configuration has.
ClassIndexes indexes_of(std::span<const nids_class> classes);

// Adds the classes of `more`. Returns false and changes nothing if `all` and `more` disagree about
// an index or a name.
bool add_indexes(ClassIndexes& all, const ClassIndexes& more);

ClassSet retired_classes(const ClassIndexes& classes);

struct PlacedClasses {
  ClassIndexes classes;
  ClassSet reused;  // indexes that another class had; its flows must lose them
};
// Gives each class its index. If no index is unused, a class gets the index of a class that was
// retired before: a class that is not in `held` if there is one, else the class removed first.
// Returns an error if there are too few indexes.
[[nodiscard]] Result<PlacedClasses> place_classes(const ClassIndexes& before,
                                                  const std::vector<ProtocolClass>& classes,
                                                  const ClassSet& held);

}  // namespace nids
