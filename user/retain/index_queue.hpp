// SPDX-License-Identifier: Apache-2.0
// What the index is to be told, kept until it is committed there: what the disk refuses is tried
// again later, with all that has come since. Has no thread, and reads no segment.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "nids/result.hpp"
#include "retain/index.hpp"

namespace nids {

// What it takes in memory, about.
std::size_t weight_of(const IndexedAlert& alert);
std::size_t weight_of(const SegmentPiece& piece);

class IndexQueue {
 public:
  struct Limits {
    std::uint64_t max_alerts = 100'000;  // in the index; the oldest go
    // Of what is kept for an index that can't be written; alerts without a packet get a half of it.
    std::size_t max_bytes = 16u << 20;
    std::chrono::milliseconds retry_after{1000};
  };
  explicit IndexQueue(const Limits& limits) : limits_(limits) {}
  void use(std::unique_ptr<Index> index) { index_ = std::move(index); }  // null: there is none

  void add(SegmentPiece piece);
  void add(IndexedAlert alert);
  void remove(const SegmentName& segment);

  void commit();  // all there is; not at once after a failure
  void end();     // the same for the last time, at once; what then fails is let go

  // Of the last try; none: the index knows all it was told, or waits for commit().
  const std::optional<Error>& error() const { return error_; }
  std::uint64_t used_bytes() const { return index_ ? index_->used_bytes() : 0; }
  // Since it was asked last: alerts that were let go, and those that went for newer ones.
  std::uint64_t take_lost_alerts();
  std::uint64_t take_deleted_alerts();

 private:
  using Change = std::variant<SegmentPiece, IndexedAlert, SegmentName>;
  void add(Change change, std::size_t weight);
  Result<void> write();
  void try_now();
  void give_up();

  const Limits limits_;
  std::unique_ptr<Index> index_;  // null: there is none, or no longer
  std::vector<Change> changes_;   // since the last commit, in their order
  std::size_t bytes_ = 0;         // of them
  std::uint64_t lost_alerts_ = 0, deleted_alerts_ = 0;
  std::optional<Error> error_;
  std::chrono::steady_clock::time_point next_try_;
};

}  // namespace nids
