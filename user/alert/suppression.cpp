// SPDX-License-Identifier: Apache-2.0
#include "alert/suppression.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace nids {

Suppression::Suppression(Limits limits) : limits_(std::move(limits)) {}

bool Suppression::admit(const Alert& alert) {
  if (limits_.window.count() <= 0 || limits_.max_entries == 0) return true;

  const Key key = key_of(alert);
  if (const auto found = index_.find(key); found != index_.end()) {
    Entry& entry = *found->second;
    if (is_open(entry, alert.time)) return false;
    entry.admitted = alert.time;
    oldest_first_.splice(oldest_first_.end(), oldest_first_, found->second);
    return true;
  }
  make_room(alert.time);
  oldest_first_.push_back({key, alert.time});
  index_.emplace(key, std::prev(oldest_first_.end()));
  return true;
}

Suppression::Key Suppression::key_of(const Alert& alert) const {
  Key key;
  key.signature_id = alert.signature_id;
  key.ip_version = alert.ends.ip_version;
  std::copy(std::begin(alert.ends.client), std::end(alert.ends.client), key.client);
  std::copy(std::begin(alert.ends.server), std::end(alert.ends.server), key.server);
  key.link = limits_.links.id_of(alert.ifindex);
  std::copy(std::begin(alert.ends.vlan), std::end(alert.ends.vlan), key.vlan);
  key.tunnel = alert.tunnel;
  alert.class_name.copy(key.class_name, sizeof(key.class_name));
  return key;
}

// The distance counts, not the order: a clock set back by an hour must not silence alerts for it.
bool Suppression::is_open(const Entry& entry, WallTime now) const {
  const auto [earlier, later] = std::minmax(entry.admitted.ns, now.ns);
  return later - earlier < static_cast<std::uint64_t>(limits_.window.count());
}

void Suppression::make_room(WallTime now) {
  if (index_.size() < limits_.max_entries) return;
  const Entry& oldest = oldest_first_.front();
  if (is_open(oldest, now)) ++evictions_;
  index_.erase(oldest.key);
  oldest_first_.pop_front();
}

}  // namespace nids
