// SPDX-License-Identifier: Apache-2.0
// Where the packets of each flow and alert lie: an SQLite file beside the segments. It can be made
// anew from them at any time (retain/repair.hpp), so it is never the only place of anything but
// alerts whose packets were not kept.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "nids/abi/counters.h"
#include "nids/result.hpp"
#include "retain/index_file.hpp"
#include "retain/kept.hpp"

namespace nids {

struct IndexedAlert {
  KeptAlert alert;
  std::optional<PacketPlace> place;  // none: the packet was not kept, or is gone
  bool operator==(const IndexedAlert&) const = default;
};

// What a piece of a segment holds, all of it on the disk.
struct SegmentPiece {
  SegmentName segment;
  std::uint64_t end = 0;  // bytes of the segment that are indexed with it
  std::vector<FlowSpan> spans;
  std::vector<IndexedAlert> alerts;
};

// What the index has of a segment.
struct IndexedSegment {
  std::uint64_t end = 0;  // up to there, in bytes
  nids_sum held{};        // captured bytes
};

// All that are given must hold; an empty query wants everything.
struct SpanQuery {
  std::string community_id;  // empty: any
  std::optional<std::uint64_t> flow_id;
  std::optional<WallTime> since, until;  // some packet of the span may be within
};
struct AlertQuery {
  std::optional<std::uint64_t> id;
  std::uint64_t after_id = 0;
  std::optional<WallTime> since, until;
  int lowest_severity = 3;  // 1: only the highest
  std::vector<std::string> classes;
  std::string community_id;
};

class Index {
 public:
  using Access = IndexAccess;

  // Readers see what was committed, also while a writer works; they create nothing. A writer makes
  // the file where there is none, and one that is no index of this version is an error. Takes a
  // directory fd, which stays the caller's: it works for its owner also where he may not enter the
  // directories above. `path` is for messages.
  static Result<Index> open(int directory_fd, const std::string& path, Access access,
                            const char* file = kIndexFile);
  Index(Index&&) noexcept;
  Index& operator=(Index&&) noexcept;
  ~Index();  // what was not committed is gone

  // Questions. A callback returns whether it wants more.
  Result<void> spans(const SpanQuery& query,
                     const std::function<bool(const FlowSpan&)>& on_span) const;
  // By id, oldest first.
  Result<void> alerts(const AlertQuery& query,
                      const std::function<bool(const IndexedAlert&)>& on_alert) const;
  Result<std::map<SegmentName, IndexedSegment>> segments() const;
  Result<std::uint64_t> last_alert_id() const;  // 0: there was none yet; planted ones do not count
  std::uint64_t used_bytes() const;             // of the file, without what is free in it

  // Changes, of which readers see nothing before commit().
  Result<void> add(const SegmentPiece& piece);
  Result<void> add(const IndexedAlert& alert);      // whose packet was not kept
  Result<void> remove(const SegmentName& segment);  // its alerts stay, without a place
  Result<std::uint64_t> remove_alerts_beyond(std::uint64_t count);  // the oldest go; how many
  Result<void> commit();
  Result<void> gather();  // all of it into the one file; it must be committed
  void rollback();  // takes back what was not committed, as it has to be where a change failed

 private:
  struct State;
  explicit Index(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace nids
