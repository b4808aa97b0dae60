// SPDX-License-Identifier: Apache-2.0
// What a host analyser is: it sees what hosts do over many flows. One instance, on the correlator's
// thread. The order of events within a tick, and which worker sent them, must not matter: the
// correlator sorts them.
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
  // After the events of a tick.
  virtual void on_tick(WallTime now, std::vector<Alert>& alerts) = 0;
  // Sources and destinations that were forgotten for others, so far.
  virtual std::uint64_t evictions() const noexcept = 0;
};

}  // namespace nids
