// SPDX-License-Identifier: Apache-2.0
#include "retain/shelf.hpp"

#include <algorithm>

namespace nids {
namespace {

constexpr std::array<std::uint64_t, 4> kAgesBy{8, 1, 2, 4};  // by severity; 0 is none

}  // namespace

void Shelf::add(const SegmentName& name, std::uint64_t file_bytes, const nids_sum& sum) {
  by_severity_[name.severity & 3u].emplace(name.sequence, Kept{name.time, file_bytes, sum});
  bytes_ += file_bytes;
}

void Shelf::take_back(const SegmentName& name, std::uint64_t file_bytes, const nids_sum& sum) {
  const auto [first, last] = by_severity_[name.severity & 3u].equal_range(name.sequence);
  const auto found =
      std::find_if(first, last, [&](const auto& one) { return one.second.time == name.time; });
  if (found == last) return;
  const std::uint64_t less = std::min(file_bytes, found->second.file_bytes);
  found->second.file_bytes -= less;
  bytes_ -= less;
  found->second.sum.packets -= std::min(sum.packets, found->second.sum.packets);
  found->second.sum.bytes -= std::min(sum.bytes, found->second.sum.bytes);
}

bool Shelf::is_empty() const {
  return std::ranges::all_of(by_severity_, [](const auto& one) { return one.empty(); });
}

std::optional<Shelf::Taken> Shelf::take_least(std::uint64_t now) {
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
  Taken taken{{first->second.time, first->first, static_cast<std::uint8_t>(least)}, first->second};
  bytes_ -= taken.kept.file_bytes;
  segments.erase(first);
  return taken;
}

std::optional<WallTime> Shelf::oldest() const {
  std::optional<WallTime> oldest;
  for (const auto& segments : by_severity_) {
    if (segments.empty()) continue;
    const auto begun = SegmentName{segments.begin()->second.time}.begun();
    if (!oldest || begun < *oldest) oldest = begun;
  }
  return oldest;
}

}  // namespace nids
