// SPDX-License-Identifier: Apache-2.0
// A context that stores what an analyser raises and publishes. Knows only the flows given to it.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "analyse/analyser.hpp"

namespace nids {

class Collected final : public Context {
 public:
  void alert(Alert alert) override { alerts.push_back(std::move(alert)); }
  void publish(HostEvent event) override { events.push_back(std::move(event)); }
  Flow* flow(FlowRef ref) override {
    for (auto& [own, flow] : flows)
      if (own == ref) return flow;
    return nullptr;
  }
  WallTime now() const override { return time; }
  WallTime read_until(const Flow&) const override { return read.value_or(time); }

  std::vector<Alert> alerts;
  std::vector<HostEvent> events;
  std::vector<std::pair<FlowRef, Flow*>> flows;
  WallTime time;
  std::optional<WallTime> read;  // none: everything until now
};

}  // namespace nids
