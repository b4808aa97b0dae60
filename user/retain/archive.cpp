// SPDX-License-Identifier: Apache-2.0
#include "retain/archive.hpp"

#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "nids/sum.hpp"

namespace nids {
namespace {

constexpr std::uint64_t kMaxSequence = 900'000'000'000'000;

}  // namespace

Archive::Archive(int directory_fd, std::string path,
                 const std::vector<pcapng::Interface>& interfaces, const StoreLimits& limits)
    : directory_fd_(directory_fd),
      path_(std::move(path)),
      limits_(limits),
      interfaces_(interfaces.size()),
      unwritten_(1) {
  pcapng::append_section_header(header_, "nids-xdp");
  pcapng::Bytes trailer;  // its size never changes
  for (const pcapng::Interface& one : interfaces) {
    pcapng::append_interface(header_, one);
    pcapng::append_statistics(trailer, {});
  }
  trailer_bytes_ = trailer.size();
}

Archive::~Archive() {
  writer_.reset();
  ::close(directory_fd_);
}

Result<void> Archive::find(const std::map<SegmentName, IndexedSegment>& known) {
  const auto found = list_segments(directory_fd_, path_);
  if (!found) return found.error();
  shelf_ = {};
  for (const auto& [name, bytes] : *found) {
    const auto told = known.find(name);
    const bool is_true = told != known.end() && told->second.held.bytes <= bytes &&
                         told->second.held.packets <= bytes;
    shelf_.add(name, bytes, is_true ? told->second.held : nids_sum{0, bytes});
    // Ignores larger numbers, so that a planted file can't push numbers beyond the digits of a
    // name.
    if (name.sequence < kMaxSequence) next_sequence_ = std::max(next_sequence_, name.sequence + 1);
  }
  return {};
}

void Archive::serve(std::size_t workers) { unwritten_.assign(workers, 0); }

Result<void> Archive::start_writer() {
  if (has_writer()) return {};
  const std::lock_guard lock(mutex_);
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
  is_writing_.store(true, std::memory_order_release);
  return {};
}

bool Archive::has_room(std::size_t weight) {
  if (limits_.when_behind == WhenBehind::kWait) writer_->wait_for_room(weight);
  return writer_->has_room(weight);
}

std::uint64_t Archive::reserve(std::uint64_t bytes, std::uint64_t advance,
                               nids_agent_counters& counters) {
  const std::lock_guard lock(mutex_);
  const auto fits = [&](std::uint64_t more) {
    return shelf_.bytes() + reserved_ + more <= limits_.budget_bytes;
  };
  while (!fits(bytes)) {
    auto least = shelf_.take_least(next_sequence_);
    if (!least) return 0;
    remove(std::move(*least), counters);
  }
  if (fits(bytes + advance)) bytes += advance;
  reserved_ += bytes;
  return bytes;
}

void Archive::complete(const Complete& segment, std::uint64_t reserved) {
  const std::lock_guard lock(mutex_);
  reserved_ -= reserved;
  shelf_.add(segment.name, segment.bytes, segment.kept);
}

void Archive::remove(SegmentName name, nids_agent_counters& counters) {
  const nids_sum kept = shelf_.held(name);
  writer_->remove({.name = std::move(name), .counters = &counters, .kept = kept});
}

void Archive::remove_again(nids_agent_counters& counters) {
  const std::lock_guard lock(mutex_);
  for (SegmentName& name : shelf_.aside()) remove(std::move(name), counters);
}

SegmentName Archive::next_name(WallTime begun, std::uint8_t severity) {
  const std::lock_guard lock(mutex_);
  return SegmentName::of(begun, next_sequence_++, severity);
}

std::uint64_t Archive::unwritten(std::size_t worker, std::uint64_t own, std::uint64_t since) {
  const std::uint64_t waiting = has_writer() ? writer_->waiting_bytes() : 0;
  const std::lock_guard lock(mutex_);
  unwritten_[worker] = own;
  return std::accumulate(unwritten_.begin(), unwritten_.end(),
                         waiting + (unwritten_.size() - 1) * since);
}

void Archive::lose(const LostChunk& chunk) {
  nids_sum all{};
  for (const Share& share : chunk.shares) {
    take_atomically(share.counters->retained, share.kept);
    add_atomically(share.counters->not_kept_by_error, share.kept);
    all += share.kept;
  }
  const std::lock_guard lock(mutex_);
  shelf_.take_back(chunk.segment, chunk.bytes, all);
}

void Archive::removed(const Writer::Done& done) {
  const std::lock_guard lock(mutex_);
  for (const Removal& gone : done.removed) {
    const nids_sum kept = shelf_.remove(gone.name);
    if (gone.was_there && !gone.is_counted) add_atomically(gone.counters->deleted_by_policy, kept);
  }
  for (const Removal& left : done.not_removed) shelf_.put_aside(left.name);
}

std::uint64_t Archive::bytes() const {
  const std::lock_guard lock(mutex_);
  return shelf_.bytes() + reserved_;
}

std::optional<WallTime> Archive::oldest() const {
  const std::lock_guard lock(mutex_);
  return shelf_.oldest();
}

}  // namespace nids
