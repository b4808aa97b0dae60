// SPDX-License-Identifier: Apache-2.0
// The interface of a host analyser: it gets what hosts do over many flows, and raises alerts. There
// is one instance, on the correlator's thread. Within a tick the events come sorted by key, once
// for each key, whatever the order of the workers.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "alert/alert.hpp"
#include "analyse/host/host_event.hpp"

namespace nids {

class HostAnalyser {
 public:
  virtual ~HostAnalyser() = default;
  virtual std::string_view name() const noexcept = 0;
  // The flows of one key in one tick. `now` is the tick's end.
  virtual void on_event(const HostEvent& event, WallTime now, std::vector<Alert>& alerts) = 0;
  // Called after the events of each tick.
  virtual void on_tick(WallTime now, std::vector<Alert>& alerts) = 0;
  // The number of pairs of hosts evicted for others so far.
  virtual std::uint64_t evictions() const noexcept = 0;
};

}  // namespace nids
