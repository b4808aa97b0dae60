// SPDX-License-Identifier: Apache-2.0
#include "analyse/host/host_event_table.hpp"

#include <cstring>
#include <iterator>
#include <utility>

namespace nids {
namespace {

constexpr std::size_t kLookAt = 8;    // events to look at for one to evict
constexpr std::uint64_t kLittle = 2;  // the start and the outcome of a single flow

// The source stays; all other fields are zero.
HostKey remainder_of(const HostKey& key) {
  HostKey rest;
  std::memcpy(rest.source, key.source, sizeof(rest.source));
  rest.ip_version = key.ip_version;
  rest.link = key.link;
  std::memcpy(rest.vlan, key.vlan, sizeof(rest.vlan));
  rest.is_remainder = 1;
  return rest;
}

}  // namespace

void HostEventTable::add(HostEvent event) {
  if (event.key.is_remainder != 0) return add_to_remainder(std::move(event));
  if (const auto found = event_of_.find(event.key); found != event_of_.end())
    return events_[found->second].add(event);
  if (events_.size() < limits_.events) {
    event_of_.emplace(event.key, static_cast<std::uint32_t>(events_.size()));
    events_.push_back(std::move(event));
    return;
  }
  for (std::size_t i = 0; i < kLookAt; ++i) {
    hand_ = (hand_ + 1) % events_.size();
    if (events_[hand_].flows() > kLittle) continue;
    event_of_.erase(events_[hand_].key);
    event_of_.emplace(event.key, static_cast<std::uint32_t>(hand_));
    return add_to_remainder(std::exchange(events_[hand_], std::move(event)));
  }
  add_to_remainder(std::move(event));
}

void HostEventTable::add_to_remainder(HostEvent event) {
  const bool is_new = event.key.is_remainder == 0;  // one that comes back was counted before
  event.key = remainder_of(event.key);
  const auto found = remainder_of_.find(event.key);
  if (found == remainder_of_.end() && remainders_.size() >= limits_.remainders) {
    lost_ += event.started;
    return;
  }
  if (is_new) merged_ += event.started;
  if (found != remainder_of_.end()) return remainders_[found->second].add(event);
  remainder_of_.emplace(event.key, static_cast<std::uint32_t>(remainders_.size()));
  remainders_.push_back(std::move(event));
}

std::vector<HostEvent> HostEventTable::take(std::vector<HostEvent> spare) {
  std::vector<HostEvent> all = std::exchange(events_, std::move(spare));
  events_.clear();
  all.insert(all.end(), std::make_move_iterator(remainders_.begin()),
             std::make_move_iterator(remainders_.end()));
  remainders_.clear();
  event_of_.clear();
  remainder_of_.clear();
  hand_ = 0;
  return all;
}

}  // namespace nids
