// SPDX-License-Identifier: Apache-2.0
// The segments that one worker fills: one for each severity. Enforces the limits of a segment, the
// budget and the floor of free disk, and gives complete chunks to the writer. For one thread at a
// time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "nids/abi/counters.h"
#include "retain/archive.hpp"
#include "retain/disk_floor.hpp"
#include "retain/draft.hpp"

namespace nids {

enum class Refusal { kNone, kPolicy, kError, kOverload };

class OpenSegments {
 public:
  // `archive` must outlive this.
  OpenSegments(Archive& archive, std::size_t worker);

  // Makes room for a block of `block_bytes`, which may add `index_bytes` to the index. After
  // kNone, an open segment takes the block. With kError, `why` is the reason for people, if known.
  struct Answer {
    Refusal refusal = Refusal::kNone;
    std::string why{};
  };
  Answer prepare(std::uint8_t severity, std::size_t block_bytes, std::size_t index_bytes,
                 WallTime now, nids_agent_counters& counters);
  Draft* open(std::uint8_t severity);  // null: prepare() opens one

  // Gives the writer all blocks. Returns false if the writer has no room for all of them.
  bool give_all();
  void complete_all(WallTime now);
  // Ends the segment of a lost chunk if it is open here, because nothing may follow the gap.
  void end_segment_of(const LostChunk& chunk);
  std::optional<WallTime> oldest() const;
  std::uint64_t reserved_in_advance() const;  // bytes of the budget that no segment uses yet

 private:
  struct Open {
    Draft draft;
    std::uint64_t reserved;  // bytes of the budget, at least those of the draft with its trailer
  };
  using Place = std::optional<Open>;

  bool has_room_for(const Draft& draft, bool with_contents = true);
  std::uint64_t max_bytes() const;
  std::uint64_t unwritten() const;
  bool is_full(const Draft& draft, std::size_t block_bytes, WallTime now) const;
  bool reserve(Place& place, std::uint64_t bytes, nids_agent_counters& counters);
  void begin(Place& place, std::uint8_t severity, WallTime now, std::uint64_t reserved);
  void give(Draft& draft);
  void complete(Place& place, WallTime now);
  void close(Place& place);

  Archive& archive_;
  const std::size_t worker_;
  DiskFloor floor_;
  std::array<Place, 4> places_;  // by severity
};

}  // namespace nids
