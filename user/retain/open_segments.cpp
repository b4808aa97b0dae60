// SPDX-License-Identifier: Apache-2.0
#include "retain/open_segments.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace nids {
namespace {

constexpr std::uint64_t kSegmentShare = 8;  // the budget has room for at least so many segments
// A worker reserves up to kAdvance bytes in advance, and up to a kAdvanceShare-th of the budget, so
// that the worker seldom takes the lock of the budget.
constexpr std::uint64_t kAdvance = 64u << 10, kAdvanceShare = 1024;

constexpr const char* kTooFull =
    "packets can't be kept: the free space of the disk is down to retain.min_free_percent";

}  // namespace

OpenSegments::OpenSegments(Archive& archive, std::size_t worker)
    : archive_(archive),
      worker_(worker),
      floor_(archive.directory_fd(), archive.limits().min_free_share) {}

bool OpenSegments::has_room_for(const Draft& draft, bool with_contents) {
  return archive_.has_room(
      weight_of(draft.waiting_bytes(), with_contents ? &draft.contents() : nullptr));
}

std::uint64_t OpenSegments::max_bytes() const {
  return std::min(archive_.limits().segment_bytes,
                  archive_.limits().budget_bytes / (kSegmentShare * archive_.workers()));
}

std::uint64_t OpenSegments::unwritten() const {
  std::uint64_t own = 0;
  for (const Place& place : places_)
    if (place) own += place->draft.waiting_bytes() + archive_.trailer_bytes();
  return archive_.unwritten(worker_, own, DiskFloor::kLookEvery);
}

std::uint64_t OpenSegments::reserved_in_advance() const {
  std::uint64_t bytes = 0;
  for (const Place& place : places_)
    if (place) bytes += place->reserved - place->draft.size() - archive_.trailer_bytes();
  return bytes;
}

std::optional<WallTime> OpenSegments::oldest() const {
  std::optional<WallTime> oldest;
  for (const Place& place : places_)
    if (place && (!oldest || place->draft.begun() < *oldest)) oldest = place->draft.begun();
  return oldest;
}

Draft* OpenSegments::open(std::uint8_t severity) {
  Place& place = places_[severity & 3u];
  return place ? &place->draft : nullptr;
}

// A segment without a packet takes a block of any size.
bool OpenSegments::is_full(const Draft& draft, std::size_t block_bytes, WallTime now) const {
  if (draft.kept().packets == 0) return false;
  const auto age = std::chrono::nanoseconds(now > draft.begun() ? now.ns - draft.begun().ns : 0);
  return draft.size() + block_bytes + archive_.trailer_bytes() > max_bytes() ||
         draft.is_full_of_flows() || age >= archive_.limits().segment_time;
}

OpenSegments::Answer OpenSegments::prepare(std::uint8_t severity, std::size_t block_bytes,
                                           std::size_t index_bytes, WallTime now,
                                           nids_agent_counters& counters) {
  const std::uint64_t alone = archive_.header().size() + block_bytes + archive_.trailer_bytes();
  if (alone > archive_.limits().budget_bytes) return {Refusal::kPolicy};
  if (auto started = archive_.start_writer(); !started)
    return {Refusal::kError, started.error().message()};
  Place& place = places_[severity & 3u];
  if (place && is_full(place->draft, block_bytes, now)) {
    if (!has_room_for(place->draft)) return {Refusal::kOverload};
    complete(place, now);
  }
  if (place && !place->draft.takes(block_bytes)) {
    // Indexes the packets of many chunks at once, so that a flow gets one row, not one for each
    // chunk.
    const bool is_due = place->draft.is_due_in_index();
    if (!has_room_for(place->draft, is_due)) return {Refusal::kOverload};
    archive_.writer().write(is_due ? place->draft.take_with_contents() : place->draft.take());
  }
  if (!floor_.takes((place ? block_bytes : alone) + index_bytes, [this] { return unwritten(); }))
    return {Refusal::kError, kTooFull};
  // The loop ends, because each turn completes an open segment, and `alone` fits into an empty
  // store.
  while (!reserve(place, place ? block_bytes : alone, counters)) {
    Place& largest = *std::ranges::max_element(
        places_, {}, [](const Place& one) { return one ? one->draft.size() : 0; });
    if (!largest) {
      archive_.remove_again(counters);
      return {Refusal::kError};
    }
    complete(largest, now);
  }
  if (place) return {};
  begin(place, severity & 3u, now, alone);
  archive_.remove_again(counters);
  return {};
}

bool OpenSegments::reserve(Place& place, std::uint64_t bytes, nids_agent_counters& counters) {
  if (!place) return archive_.reserve(bytes, 0, counters) != 0;
  const std::uint64_t needed = place->draft.size() + archive_.trailer_bytes() + bytes;
  if (needed <= place->reserved) return true;
  const std::uint64_t advance = std::min(kAdvance, archive_.limits().budget_bytes / kAdvanceShare);
  const auto more = archive_.reserve(needed - place->reserved, advance, counters);
  if (more == 0) return false;
  place->reserved += more;
  return true;
}

void OpenSegments::begin(Place& place, std::uint8_t severity, WallTime now,
                         std::uint64_t reserved) {
  const SegmentName name = archive_.next_name(now, severity);
  place.emplace(Open{Draft(name, std::make_shared<SegmentFile>(archive_.directory_fd(), name), now,
                           archive_.header(), archive_.buffers()),
                     reserved});
}

void OpenSegments::give(Draft& draft) {
  if (draft.waiting_bytes() != 0 || !draft.contents().is_empty())
    archive_.writer().write(draft.take_with_contents());
}

void OpenSegments::complete(Place& place, WallTime now) {
  if (!place) return;
  pcapng::Bytes trailer;
  for (const auto& one : place->draft.statistics(archive_.interfaces(), now))
    pcapng::append_statistics(trailer, one);
  place->draft.append(trailer);
  close(place);
}

void OpenSegments::close(Place& place) {
  give(place->draft);
  archive_.complete({place->draft.name(), place->draft.size(), place->draft.kept()},
                    place->reserved);
  archive_.writer().close(place->draft.file(), place->draft.name());
  place.reset();
}

bool OpenSegments::give_all() {
  bool is_all = true;
  for (Place& place : places_) {
    if (!place) continue;
    if (archive_.writer().has_room(
            weight_of(place->draft.waiting_bytes(), &place->draft.contents())))
      give(place->draft);
    else
      is_all = false;
  }
  unwritten();  // reports to the archive that fewer bytes wait
  return is_all;
}

void OpenSegments::complete_all(WallTime now) {
  for (Place& place : places_) complete(place, now);
}

void OpenSegments::end_segment_of(const LostChunk& chunk) {
  Place& place = places_[chunk.segment.severity & 3u];
  // close() also indexes the packets that are in the file.
  if (place && place->draft.file() == chunk.file) close(place);
}

}  // namespace nids
