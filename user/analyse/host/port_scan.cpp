// SPDX-License-Identifier: Apache-2.0
#include "analyse/host/port_scan.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

namespace nids {
namespace {

std::string seconds_text(std::uint64_t ns) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f s", static_cast<double>(ns) / 1e9);
  return text;
}

}  // namespace

// By the times of flows, because in a replay many seconds may be judged at once. In both
// directions, because the clock may have been set back.
bool PortScan::is_over(const Episode& episode, WallTime first, WallTime last) const {
  const auto window_ns = static_cast<std::uint64_t>(limits_.window.count());
  return first.ns > episode.last.ns + window_ns || last.ns + window_ns < episode.first.ns;
}

void PortScan::forget_first(Episodes& episodes) {
  index_.erase(episodes.front().pair);
  episodes.pop_front();
}

void PortScan::forget_old(Episodes& episodes, WallTime now) {
  // Flows of this time may still come: what is forgotten must be over for them as well.
  const auto window_ns = static_cast<std::uint64_t>(limits_.window.count());
  const WallTime before{now.ns - std::min(now.ns, window_ns)};
  while (!episodes.empty() && is_over(episodes.front(), before, now)) forget_first(episodes);
}

PortScan::Episodes::iterator PortScan::episode_of(const HostKey& pair, const HostEvent& event) {
  if (const auto found = index_.find(pair); found != index_.end()) {
    if (!is_over(*found->second, event.first, event.last)) return found->second;
    (found->second->is_suspect ? suspects_ : others_).erase(found->second);
    index_.erase(found);
  }
  if (others_.size() >= limits_.others) {
    forget_first(others_);
    ++evictions_;
  }
  others_.push_back({.pair = pair,
                     .ports = {},
                     .tunnel = event.key.tunnel,
                     .first = event.first,
                     .last = event.last});
  return index_.emplace(pair, std::prev(others_.end())).first->second;
}

void PortScan::on_event(const HostEvent& event, WallTime, std::vector<Alert>& alerts) {
  if (event.key.l4_proto != IPPROTO_TCP || event.key.is_remainder != 0) return;
  HostKey pair = event.key;
  pair.class_id = 0;
  // A source may choose its outer address as it likes.
  std::memset(pair.tunnel.client, 0, sizeof(pair.tunnel.client));
  if (event.failed_ports.empty()) {
    const auto known = index_.find(pair);
    if (known != index_.end()) known->second->ports.remove(event.late_ports);
    return;
  }
  const auto at = episode_of(pair, event);
  Episode& episode = *at;
  episode.ports.add(event.failed_ports);
  episode.ports.remove(event.late_ports);
  episode.first = std::min(episode.first, event.first);
  episode.last = std::max(episode.last, event.last);
  Episodes& from = episode.is_suspect ? suspects_ : others_;
  episode.is_suspect = episode.is_suspect || episode.ports.size() >= kFew;
  Episodes& to = episode.is_suspect ? suspects_ : others_;
  to.splice(to.end(), from, at);
  if (suspects_.size() > limits_.suspects) {
    forget_first(suspects_);
    ++evictions_;
  }
  if (episode.is_reported || episode.ports.size() < limits_.ports) return;
  episode.is_reported = true;
  alerts.push_back(alert_about(episode));
}

void PortScan::on_tick(WallTime now, std::vector<Alert>&) {
  forget_old(suspects_, now);
  forget_old(others_, now);
}

Alert PortScan::alert_about(const Episode& episode) const {
  Alert alert;
  alert.time = episode.last;
  alert.signature_id.sid = 3001;
  alert.kind = AlertKind::kHost;
  alert.severity = 2;
  alert.signature = "vertical port scan";
  alert.category = "Scan";
  alert.technique = "T1046";
  std::memcpy(alert.ends.client, episode.pair.source, sizeof(alert.ends.client));
  std::memcpy(alert.ends.server, episode.pair.destination, sizeof(alert.ends.server));
  std::memcpy(alert.ends.vlan, episode.pair.vlan, sizeof(alert.ends.vlan));
  alert.ends.ip_version = episode.pair.ip_version;
  alert.ends.l4_proto = episode.pair.l4_proto;
  alert.tunnel = episode.tunnel;
  alert.ifindex = episode.pair.link;
  const std::size_t ports = episode.ports.size();
  alert.observed = (ports == PortSample::kMax ? "at least " : "") + std::to_string(ports) +
                   " TCP ports that refused or did not answer, from " +
                   std::to_string(episode.ports.lowest()) + " on, within " +
                   seconds_text(episode.last.ns - std::min(episode.first.ns, episode.last.ns));
  alert.expected = "fewer from one source to one host";
  alert.threshold = std::to_string(limits_.ports) + " ports, each at most " +
                    seconds_text(static_cast<std::uint64_t>(limits_.window.count())) +
                    " after the one before";
  return alert;
}

}  // namespace nids
