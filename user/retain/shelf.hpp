// SPDX-License-Identifier: Apache-2.0
// The segments that are complete, which of them is worth least, and which are on their way out.
// Touches no disk.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "nids/abi/counters.h"
#include "retain/segment.hpp"

namespace nids {

class Shelf {
 public:
  struct Kept {
    std::string time;
    std::uint64_t file_bytes = 0;
    nids_sum sum{};  // captured bytes; where they are not known the file's, and no packets
  };

  void add(const SegmentName& name, std::uint64_t file_bytes, const nids_sum& sum);
  // Of a segment that was added: what turned out not to be there. Without a byte left it is gone.
  void take_back(const SegmentName& name, std::uint64_t file_bytes, const nids_sum& sum);
  std::uint64_t bytes() const { return bytes_; }

  // Takes the one worth least: the oldest, where one without an alert ages 8 times as fast as one
  // of severity 1, of severity 3 4 times and of 2 twice. Age is counted in segments begun since, so
  // that no clock that steps makes an old one young. `now`: the number of the next segment.
  // It no longer counts, and remove() or put_aside() has to follow.
  std::optional<SegmentName> take_least(std::uint64_t now);
  nids_sum held(const SegmentName& name) const;  // of one that was taken or put aside
  nids_sum remove(const SegmentName& name);  // returns what it held; nothing where it is not known
  void put_aside(const SegmentName& name);   // it stays and counts, and is not taken again
  std::vector<SegmentName> aside() const;

  std::optional<WallTime> oldest() const;  // by its name

 private:
  using Segments = std::multimap<std::uint64_t, Kept>;  // by sequence

  std::array<Segments, 4> by_severity_;
  std::map<SegmentName, Kept> taken_, aside_;
  std::uint64_t bytes_ = 0;
};

}  // namespace nids
