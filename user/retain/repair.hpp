// SPDX-License-Identifier: Apache-2.0
// Brings segments and index together after a crash, or after somebody else's hand in the directory.
#pragma once

#include <cstdint>
#include <functional>
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
  bool is_anew = false;              // there was an index, and it was put aside
  bool is_whole = true;              // false: it was ended before
};

// Asked now and then while segments are read, which may take minutes: false ends it, and what was
// read so far stays in the index.
using GoesOn = std::function<bool()>;

// Each segment that the index does not have to its end is read, and added; one that ends inside a
// block is cut to its last whole one. A block that lies is nobody's crash: such a file stays as it
// is, and is known up to there. `path` is for messages.
Result<Repaired> repair(int directory_fd, const std::string& path, Index& index,
                        const GoesOn& goes_on = {});

}  // namespace nids
