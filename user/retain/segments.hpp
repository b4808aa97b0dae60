// SPDX-License-Identifier: Apache-2.0
// The segments of a store: one under way for each severity, those that are complete, and those that
// go for newer ones. Keeps them within budget and floor, and gives the writer its work. Judges no
// packet, and counts none but those that are deleted or lost on the way to the disk.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nids/abi/counters.h"
#include "nids/result.hpp"
#include "retain/buffers.hpp"
#include "retain/disk_floor.hpp"
#include "retain/draft.hpp"
#include "retain/index.hpp"
#include "retain/limits.hpp"
#include "retain/pcapng.hpp"
#include "retain/shelf.hpp"
#include "retain/writer.hpp"

namespace nids {

enum class Refusal { kNone, kPolicy, kError, kOverload };

class Segments {
 public:
  // `directory_fd` is owned; `path` is for messages. The interfaces stand in each segment.
  Segments(int directory_fd, std::string path, const std::vector<pcapng::Interface>& interfaces,
           const StoreLimits& limits);
  Segments(const Segments&) = delete;
  Segments& operator=(const Segments&) = delete;
  ~Segments();  // what was given is written; what was not is gone: see finish()

  int directory_fd() const { return directory_fd_; }
  const std::string& path() const { return path_; }

  // Of earlier runs, as they are now: they count, and numbers go on behind theirs. Of one that
  // `known` does not tell of, or lies about, the bytes of its file are all that is known.
  Result<void> find(const std::map<SegmentName, IndexedSegment>& known);
  void use(std::unique_ptr<Index> index) { index_ = std::move(index); }  // before all below

  // Makes sure that the one under way takes a block of so many bytes, which may add so many to the
  // index; what has to go for it goes. kError: with why, for people, where that is known.
  struct Answer {
    Refusal refusal = Refusal::kNone;
    std::string why{};
  };
  Answer prepare(std::uint8_t severity, std::size_t block_bytes, std::size_t index_bytes,
                 WallTime now, nids_agent_counters& counters);
  // The one under way; none: prepare() makes one.
  Draft* under_way(std::uint8_t severity);

  // For the index, of an alert whose packet is not kept.
  Answer note(IndexedAlert alert);

  // Gives the writer all there is. False: not all of it, since it is too far behind.
  bool give_all();
  void wait();                // until the writer is done with what it was given
  void finish(WallTime now);  // all are complete, and the index is written for the last time
  bool is_idle() const;       // the writer has nothing to do
  bool has_bad_news() const;  // collect() would tell of something that failed
  // What was done since; losses and removals are accounted for. None: there was nothing to do yet.
  std::optional<Writer::Done> collect();
  std::uint64_t bytes() const;  // of all segments, with their ends
  std::optional<WallTime> oldest() const;

 private:
  using Place = std::optional<Draft>;

  Result<void> start_writer();
  bool has_room(std::size_t weight);
  bool has_room_for(const Draft& draft, bool with_contents = true);
  std::uint64_t most_bytes() const;
  std::uint64_t unwritten() const;
  bool is_full(const Draft& draft, std::size_t block_bytes, WallTime now) const;
  Result<void> begin(Place& place, std::uint8_t severity, WallTime now);
  void give(Draft& draft);
  void complete(Place& place, WallTime now);
  bool make_room(std::uint64_t needed, WallTime now, nids_agent_counters& counters);
  void remove(SegmentName name, nids_agent_counters& counters);
  void remove_again(nids_agent_counters& counters);
  void close(Place& place);
  void lose(const LostChunk& chunk);

  const int directory_fd_;
  const std::string path_;
  const StoreLimits limits_;
  const std::size_t interfaces_;
  DiskFloor floor_;
  pcapng::Bytes header_;           // of every segment
  std::size_t trailer_bytes_ = 0;  // likewise
  Buffers buffers_;
  std::unique_ptr<Index> index_;  // until the writer has it
  std::optional<Writer> writer_;
  Shelf shelf_;
  std::array<Place, 4> drafts_;  // by severity
  std::uint64_t next_sequence_ = 1;
};

}  // namespace nids
