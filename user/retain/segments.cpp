// SPDX-License-Identifier: Apache-2.0
#include "retain/segments.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "nids/sum.hpp"

namespace nids {
namespace {

constexpr std::uint64_t kMaxSequence = 900'000'000'000'000;
constexpr std::uint64_t kSegmentShare = 8;  // of the budget, at least so many segments

constexpr const char* kTooFull =
    "packets can't be kept: no more of the disk is free than retain.min_free_percent wants";

}  // namespace

Segments::Segments(int directory_fd, std::string path,
                   const std::vector<pcapng::Interface>& interfaces, const StoreLimits& limits)
    : directory_fd_(directory_fd),
      path_(std::move(path)),
      limits_(limits),
      interfaces_(interfaces.size()),
      floor_(directory_fd, limits.min_free_share) {
  pcapng::append_section_header(header_, "nids-xdp");
  pcapng::Bytes trailer;  // always of one size
  for (const pcapng::Interface& one : interfaces) {
    pcapng::append_interface(header_, one);
    pcapng::append_statistics(trailer, {});
  }
  trailer_bytes_ = trailer.size();
}

Segments::~Segments() {
  writer_.reset();
  ::close(directory_fd_);
}

Result<void> Segments::find(const std::map<SegmentName, IndexedSegment>& known) {
  const auto found = list_segments(directory_fd_, path_);
  if (!found) return found.error();
  shelf_ = {};
  for (const auto& [name, bytes] : *found) {
    const auto told = known.find(name);
    const bool is_true = told != known.end() && told->second.held.bytes <= bytes &&
                         told->second.held.packets <= bytes;
    shelf_.add(name, bytes, is_true ? told->second.held : nids_sum{0, bytes});
    // A planted name may not push the numbers to where they have more digits than a name takes.
    if (name.sequence < kMaxSequence) next_sequence_ = std::max(next_sequence_, name.sequence + 1);
  }
  return {};
}

// Only when there is something to write: threads don't live through a fork. What is under way has
// a writer.
Result<void> Segments::start_writer() {
  if (writer_) return {};
  auto started = Writer::start({.directory_fd = directory_fd_,
                                .buffers = &buffers_,
                                .sync = limits_.sync,
                                .max_waiting_bytes = limits_.max_waiting_bytes,
                                .max_alerts = limits_.max_alerts,
                                .retry_index_after = limits_.retry_index_after},
                               index_);
  if (!started) return started.error();
  writer_.emplace(std::move(*started));
  return {};
}

Segments::Answer Segments::note(IndexedAlert alert) {
  if (auto started = start_writer(); !started) return {Refusal::kError, started.error().message()};
  if (!has_room(weight_of(alert))) return {Refusal::kOverload};
  writer_->note(std::move(alert));
  return {};
}

// Waits for it where it is told to.
bool Segments::has_room(std::size_t weight) {
  if (limits_.when_behind == WhenBehind::kWait) writer_->wait_for_room(weight);
  return writer_->has_room(weight);
}

bool Segments::has_room_for(const Draft& draft, bool with_contents) {
  return has_room(weight_of(draft.waiting_bytes(), with_contents ? &draft.contents() : nullptr));
}

std::uint64_t Segments::most_bytes() const {
  return std::min(limits_.segment_bytes, limits_.budget_bytes / kSegmentShare);
}

std::uint64_t Segments::bytes() const {
  std::uint64_t bytes = shelf_.bytes();
  for (const Place& draft : drafts_)
    if (draft) bytes += draft->size() + trailer_bytes_;
  return bytes;
}

std::uint64_t Segments::unwritten() const {
  std::uint64_t bytes = writer_ ? writer_->waiting_bytes() : 0;
  for (const Place& draft : drafts_)
    if (draft) bytes += draft->waiting_bytes() + trailer_bytes_;
  return bytes;
}

std::optional<WallTime> Segments::oldest() const {
  std::optional<WallTime> oldest = shelf_.oldest();
  for (const Place& draft : drafts_)
    if (draft && (!oldest || draft->begun() < *oldest)) oldest = draft->begun();
  return oldest;
}

Draft* Segments::under_way(std::uint8_t severity) {
  Place& place = drafts_[severity & 3u];
  return place ? &*place : nullptr;
}

// One without a packet takes any.
bool Segments::is_full(const Draft& draft, std::size_t block_bytes, WallTime now) const {
  if (draft.kept().packets == 0) return false;
  const auto age = std::chrono::nanoseconds(now > draft.begun() ? now.ns - draft.begun().ns : 0);
  return draft.size() + block_bytes + trailer_bytes_ > most_bytes() || draft.is_full_of_flows() ||
         age >= limits_.segment_time;
}

Segments::Answer Segments::prepare(std::uint8_t severity, std::size_t block_bytes,
                                   std::size_t index_bytes, WallTime now,
                                   nids_agent_counters& counters) {
  const std::uint64_t alone = header_.size() + block_bytes + trailer_bytes_;
  if (alone > limits_.budget_bytes) return {Refusal::kPolicy};
  if (auto started = start_writer(); !started) return {Refusal::kError, started.error().message()};
  Place& draft = drafts_[severity & 3u];
  if (draft && is_full(*draft, block_bytes, now)) {
    if (!has_room_for(*draft)) return {Refusal::kOverload};
    complete(draft, now);
  }
  if (draft && !draft->takes(block_bytes)) {
    // The index is told of many packets at once: a row a flow, not a row a flow and chunk.
    const bool is_due = draft->is_due_in_index();
    if (!has_room_for(*draft, is_due)) return {Refusal::kOverload};
    writer_->write(is_due ? draft->take_with_contents() : draft->take());
  }
  const std::uint64_t needed = draft ? block_bytes : alone;
  if (!floor_.takes(needed + index_bytes, [this] { return unwritten(); }))
    return {Refusal::kError, kTooFull};
  if (!make_room(needed, now, counters)) return {Refusal::kError};
  if (draft) return {};
  // None there was, or to make room it has been completed.
  if (!make_room(alone, now, counters)) return {Refusal::kError};
  if (auto begun = begin(draft, severity & 3u, now); !begun)
    return {Refusal::kError, begun.error().message()};
  remove_again(counters);
  return {};
}

Result<void> Segments::begin(Place& place, std::uint8_t severity, WallTime now) {
  int error_number = 0;
  // Sequences continue after those found, so a collision means that someone else writes here too.
  for (int attempt = 0; attempt < 16; ++attempt) {
    SegmentName name = SegmentName::of(now, next_sequence_++, severity);
    auto file = SegmentFile::create(directory_fd_, name);
    if (file) {
      place.emplace(std::move(name), std::make_shared<SegmentFile>(std::move(*file)), now, header_,
                    buffers_);
      return {};
    }
    error_number = file.error().error_number;
    if (error_number != EEXIST) break;
  }
  return Error{.action = "make a file for packets in " + path_, .error_number = error_number};
}

void Segments::give(Draft& draft) {
  if (draft.waiting_bytes() != 0 || !draft.contents().is_empty())
    writer_->write(draft.take_with_contents());
}

void Segments::complete(Place& place, WallTime now) {
  if (!place) return;
  pcapng::Bytes trailer;
  for (const auto& one : place->statistics(interfaces_, now))
    pcapng::append_statistics(trailer, one);
  place->append(trailer);
  close(place);
}

void Segments::close(Place& place) {
  give(*place);
  shelf_.add(place->name(), place->size(), place->kept());
  writer_->close(place->file(), place->name());
  place.reset();
}

// Ends: each turn takes a complete segment off the shelf, or completes one under way; and a packet
// that an empty store can't hold was refused before.
bool Segments::make_room(std::uint64_t needed, WallTime now, nids_agent_counters& counters) {
  while (bytes() + needed > limits_.budget_bytes) {
    if (auto least = shelf_.take_least(next_sequence_)) {
      remove(std::move(*least), counters);
      continue;
    }
    const auto largest = std::ranges::max_element(
        drafts_, {}, [](const Place& draft) { return draft ? draft->size() : 0; });
    if (!*largest) {
      remove_again(counters);
      return false;
    }
    complete(*largest, now);
  }
  return true;
}

void Segments::remove(SegmentName name, nids_agent_counters& counters) {
  const nids_sum kept = shelf_.held(name);
  writer_->remove({.name = std::move(name), .counters = &counters, .kept = kept});
}

// What could not be removed before. Not often: with each new segment, or when nothing else is left
// and the disk is left alone afterwards.
void Segments::remove_again(nids_agent_counters& counters) {
  for (SegmentName& name : shelf_.aside()) remove(std::move(name), counters);
}

bool Segments::give_all() {
  if (!writer_) return true;
  bool is_all = true;
  for (Place& draft : drafts_) {
    if (!draft) continue;
    if (writer_->has_room(weight_of(draft->waiting_bytes(), &draft->contents())))
      give(*draft);
    else
      is_all = false;
  }
  if (!writer_->has_room(0)) return false;
  writer_->commit();
  return is_all;
}

void Segments::wait() {
  if (writer_) writer_->wait();
}

void Segments::finish(WallTime now) {
  for (Place& draft : drafts_) complete(draft, now);
  if (!writer_) return;
  writer_->wait();
  writer_->end();
}

bool Segments::is_idle() const { return !writer_ || writer_->waiting_bytes() == 0; }
bool Segments::has_bad_news() const { return writer_ && writer_->has_bad_news(); }

std::optional<Writer::Done> Segments::collect() {
  if (!writer_) return {};
  Writer::Done done = writer_->collect();
  for (const LostChunk& chunk : done.lost) lose(chunk);
  for (const Removal& gone : done.removed) {
    const nids_sum kept = shelf_.remove(gone.name);
    if (gone.was_there && !gone.is_counted) add_atomically(gone.counters->deleted_by_policy, kept);
  }
  for (const Removal& left : done.not_removed) shelf_.put_aside(left.name);
  return done;
}

// A segment of which a chunk is missing ends before it.
void Segments::lose(const LostChunk& chunk) {
  nids_sum all{};
  for (const Share& share : chunk.shares) {
    share.counters->retained -= share.kept;
    share.counters->not_kept_by_error += share.kept;
    all += share.kept;
  }
  // What is left of it can't follow, but the index may learn of packets that are in the file.
  Place& place = drafts_[chunk.segment.severity & 3u];
  if (place && place->file() == chunk.file) close(place);
  shelf_.take_back(chunk.segment, chunk.bytes, all);
}

}  // namespace nids
