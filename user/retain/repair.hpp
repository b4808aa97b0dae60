// SPDX-License-Identifier: Apache-2.0
// Brings segments and index together after a crash, or after somebody else's hand in the directory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nids/result.hpp"
#include "retain/index.hpp"

namespace nids {

struct Repaired {
  std::uint64_t segments = 0;        // that were read, since the index lacked something of them
  std::uint64_t packets = 0;         // added to the index
  std::uint64_t alerts = 0;          // likewise
  std::uint64_t cut_bytes = 0;       // of blocks that were not written to their end
  std::uint64_t forgotten = 0;       // segments in the index that are gone
  std::vector<std::string> damaged;  // files whose blocks can't be followed to the end
};

// Each segment that the index does not have to its end is read, and added; one that ends inside a
// block is cut to its last whole one. A block that lies is nobody's crash: such a file stays as it
// is, and is known up to there. `path` is for messages.
Result<Repaired> repair(int directory_fd, const std::string& path, Index& index);

// The same with an index made anew. Errors: an agent keeps packets there.
Result<Repaired> rebuild_index(const std::string& directory);

// For who writes to a store: an index that can be used, whatever is there. One that is damaged or
// of another version is put aside, and made anew. What was repaired is said in `repaired`.
Result<Index> open_repaired(int directory_fd, const std::string& path, Repaired& repaired);

}  // namespace nids
