// SPDX-License-Identifier: Apache-2.0
#include "retain/index_queue.hpp"

#include <algorithm>
#include <utility>

namespace nids {
namespace {

constexpr std::size_t kCommitAtBytes = 1u << 20;
constexpr std::size_t kAlertShare = 2;  // of max_bytes

std::uint64_t alerts_in(const SegmentPiece& piece) { return piece.alerts.size(); }
std::uint64_t alerts_in(const IndexedAlert&) { return 1; }
std::uint64_t alerts_in(const SegmentName&) { return 0; }

}  // namespace

std::size_t weight_of(const IndexedAlert& alert) {
  return sizeof(alert) + alert.alert.signature.size() + alert.alert.record.size();
}

std::size_t weight_of(const SegmentPiece& piece) {
  std::size_t bytes = sizeof(piece) + piece.spans.size() * sizeof(FlowSpan);
  for (const FlowSpan& span : piece.spans) bytes += span.offsets.size() * sizeof(std::uint64_t);
  for (const IndexedAlert& alert : piece.alerts) bytes += weight_of(alert);
  return bytes;
}

void IndexQueue::add(SegmentPiece piece) {
  // Alerts of packets that were lost are as those of packets that nobody kept.
  std::erase_if(piece.alerts, [&](IndexedAlert& alert) {
    const bool is_placed = alert.place.has_value();
    if (!is_placed) add(std::move(alert));
    return !is_placed;
  });
  if (piece.end == 0) return;  // of a file that is to go
  const std::size_t weight = weight_of(piece);
  add(Change(std::move(piece)), weight);
}

void IndexQueue::add(IndexedAlert alert) {
  const std::size_t weight = weight_of(alert);
  if (error_ && bytes_ + weight > limits_.max_bytes / kAlertShare)
    ++lost_alerts_;
  else
    add(Change(std::move(alert)), weight);
}

void IndexQueue::remove(const SegmentName& segment) { add(Change(segment), sizeof(segment)); }

void IndexQueue::add(Change change, std::size_t weight) {
  changes_.push_back(std::move(change));
  bytes_ += weight;
  if (!index_ || (error_ && bytes_ > limits_.max_bytes))
    give_up();
  else if (!error_ && bytes_ > kCommitAtBytes)
    try_now();
}

void IndexQueue::commit() {
  if (index_ && (!error_ || std::chrono::steady_clock::now() >= next_try_)) try_now();
}

void IndexQueue::end() {
  if (index_) try_now();
  if (error_) give_up();
}

void IndexQueue::try_now() {
  const auto written = write();
  if (written) {
    changes_.clear();
    bytes_ = 0;
    error_.reset();
    return;
  }
  index_->rollback();
  error_ = written.error();
  error_->hint = "packets are kept, but can't be asked for until a later try writes it";
  next_try_ = std::chrono::steady_clock::now() + limits_.retry_after;
}

Result<void> IndexQueue::write() {
  struct Write {
    Index& index;
    Result<void> operator()(const SegmentPiece& piece) const { return index.add(piece); }
    Result<void> operator()(const IndexedAlert& alert) const { return index.add(alert); }
    Result<void> operator()(const SegmentName& segment) const { return index.remove(segment); }
  };
  for (const Change& change : changes_)
    if (auto written = std::visit(Write{*index_}, change); !written) return written;
  const auto deleted = index_->remove_alerts_beyond(limits_.max_alerts);
  if (!deleted) return deleted.error();
  auto committed = index_->commit();
  if (committed) deleted_alerts_ += *deleted;
  return committed;
}

// An index that has missed something is not gone on with: the next start reads what it lacks from
// the segments, but for alerts that are in none.
void IndexQueue::give_up() {
  if (index_)
    error_->hint = "it is given up; the next start makes it whole from the packets that are kept";
  index_.reset();
  for (const Change& change : changes_)
    lost_alerts_ += std::visit([](const auto& one) { return alerts_in(one); }, change);
  changes_.clear();
  bytes_ = 0;
}

std::uint64_t IndexQueue::take_lost_alerts() { return std::exchange(lost_alerts_, 0); }
std::uint64_t IndexQueue::take_deleted_alerts() { return std::exchange(deleted_alerts_, 0); }

}  // namespace nids
