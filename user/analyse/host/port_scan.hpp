// SPDX-License-Identifier: Apache-2.0
// Detects vertical port scans: one source tries many TCP ports of one host, and the host refuses or
// ignores it. Reports each episode once.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <chrono>
#include <cstdint>
#include <list>

#include "analyse/host/host_analyser.hpp"
#include "decode/secret_hash.hpp"

namespace nids {

class PortScan final : public HostAnalyser {
 public:
  struct Limits {
    std::size_t ports = 50;  // at most PortSample::kMax
    std::chrono::nanoseconds window = std::chrono::seconds(60);
    // Pairs of source and destination. Those with kFew failed ports or more have a list of their
    // own, so that many pairs with one port each do not evict a scan.
    std::size_t suspects = 4096, others = 4096;
  };
  static constexpr std::size_t kFew = 4;

  explicit PortScan(Limits limits) : limits_(limits) {}

  std::string_view name() const noexcept override { return "port_scan"; }
  void on_event(const HostEvent& event, WallTime now, std::vector<Alert>& alerts) override;
  void on_tick(WallTime now, std::vector<Alert>& alerts) override;
  std::uint64_t evictions() const noexcept override { return evictions_; }

 private:
  // An episode of a pair ends when no port has failed for the window.
  struct Episode {
    HostKey pair;
    PortSample ports;
    TunnelEnds tunnel;     // of the first flow; the pair leaves open which end of it the source has
    WallTime first, last;  // of the flows with a failed port
    bool is_suspect = false, is_reported = false;
  };
  using Episodes = std::list<Episode>;  // least recently touched first

  Episodes::iterator episode_of(const HostKey& pair, const HostEvent& event);
  void forget_first(Episodes& episodes);
  void forget_old(Episodes& episodes, WallTime now);
  bool is_over(const Episode& episode, WallTime first, WallTime last) const;
  Alert alert_about(const Episode& episode) const;

  Limits limits_;
  Episodes suspects_, others_;
  boost::unordered_flat_map<HostKey, Episodes::iterator, SecretHash<HostKey>> index_;
  std::uint64_t evictions_ = 0;
};

}  // namespace nids
