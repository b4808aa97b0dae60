// SPDX-License-Identifier: Apache-2.0
#include "retain/shelf.hpp"

#include <algorithm>

namespace nids {
namespace {

constexpr std::array<std::uint64_t, 4> kAgesBy{8, 1, 2, 4};  // by severity; 0 is none

}  // namespace

void Shelf::add(const SegmentName& name, std::uint64_t file_bytes, const nids_sum& sum) {
  if (file_bytes == 0) return;
  by_severity_[name.severity & 3u].emplace(name.sequence, Kept{name.time, file_bytes, sum});
  bytes_ += file_bytes;
}

void Shelf::take_back(const SegmentName& name, std::uint64_t file_bytes, const nids_sum& sum) {
  Segments& segments = by_severity_[name.severity & 3u];
  const auto [first, last] = segments.equal_range(name.sequence);
  const auto found =
      std::find_if(first, last, [&](const auto& one) { return one.second.time == name.time; });
  const auto aside = aside_.find(name), taken = taken_.find(name);
  const auto lessen = [&](Kept& kept) {
    const std::uint64_t less = std::min(file_bytes, kept.file_bytes);
    kept.file_bytes -= less;
    kept.sum.packets -= std::min(sum.packets, kept.sum.packets);
    kept.sum.bytes -= std::min(sum.bytes, kept.sum.bytes);
    return less;
  };
  if (found != last) {
    bytes_ -= lessen(found->second);
    if (found->second.file_bytes == 0) segments.erase(found);
  } else if (taken != taken_.end()) {
    lessen(taken->second);
  } else if (aside != aside_.end()) {
    bytes_ -= lessen(aside->second);
    if (aside->second.file_bytes == 0) aside_.erase(aside);
  }
}

std::optional<SegmentName> Shelf::take_least(std::uint64_t now) {
  std::size_t least = by_severity_.size();
  std::uint64_t greatest_age = 0;
  for (const std::size_t severity : {0u, 3u, 2u, 1u}) {  // of one age, the first
    const auto& segments = by_severity_[severity];
    if (segments.empty()) continue;
    const std::uint64_t sequence = segments.begin()->first;
    const std::uint64_t age = (now > sequence ? now - sequence : 0) * kAgesBy[severity];
    if (least != by_severity_.size() && age <= greatest_age) continue;
    least = severity;
    greatest_age = age;
  }
  if (least == by_severity_.size()) return std::nullopt;
  auto& segments = by_severity_[least];
  const auto first = segments.begin();
  SegmentName name{first->second.time, first->first, static_cast<std::uint8_t>(least)};
  bytes_ -= first->second.file_bytes;
  taken_.emplace(name, std::move(first->second));
  segments.erase(first);
  return name;
}

nids_sum Shelf::held(const SegmentName& name) const {
  if (const auto taken = taken_.find(name); taken != taken_.end()) return taken->second.sum;
  const auto aside = aside_.find(name);
  return aside == aside_.end() ? nids_sum{} : aside->second.sum;
}

nids_sum Shelf::remove(const SegmentName& name) {
  if (const auto taken = taken_.extract(name)) return taken.mapped().sum;
  const auto aside = aside_.extract(name);
  if (!aside) return {};
  bytes_ -= aside.mapped().file_bytes;
  return aside.mapped().sum;
}

void Shelf::put_aside(const SegmentName& name) {
  auto taken = taken_.extract(name);
  if (!taken || taken.mapped().file_bytes == 0) return;
  bytes_ += taken.mapped().file_bytes;
  aside_.insert(std::move(taken));
}

std::vector<SegmentName> Shelf::aside() const {
  std::vector<SegmentName> names;
  for (const auto& [name, kept] : aside_) names.push_back(name);
  return names;
}

std::optional<WallTime> Shelf::oldest() const {
  std::optional<WallTime> oldest;
  const auto look_at = [&](const std::string& time) {
    const auto begun = SegmentName{time}.begun();
    if (!oldest || begun < *oldest) oldest = begun;
  };
  for (const auto& segments : by_severity_)
    if (!segments.empty()) look_at(segments.begin()->second.time);
  if (!aside_.empty()) look_at(aside_.begin()->first.time);
  return oldest;
}

}  // namespace nids
