// SPDX-License-Identifier: Apache-2.0
// Raises the alerts of the host analysers, and counts what the correlator lost. For one thread at a
// time.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "analyse/host/correlator.hpp"
#include "output/outputs.hpp"
#include "worker/pipeline.hpp"
#include "worker/quota.hpp"

namespace nids {

class HostAlerts {
 public:
  // All three must outlive this object.
  HostAlerts(Correlator& correlator, Outputs& outputs, const Quota& quota)
      : correlator_(correlator), outputs_(outputs), quota_(quota) {}

  void raise() {
    for (Alert& alert : correlator_.take_alerts())
      if (nids_agent_counters* counters = outputs_.counters().of(alert.ifindex);
          counters && !quota_.has_enough())
        outputs_.raise(std::move(alert), *counters);
  }

  // The end: takes the last host events of all workers. The correlator must have no thread any
  // more.
  void finish(const std::vector<std::unique_ptr<Pipeline>>& workers) {
    for (const auto& one : workers) one->finish_tick();
    correlator_.finish();
    raise();
    count();
  }

  void count() {
    const auto blocks = outputs_.counters().attached_first();
    if (blocks.empty()) return;
    const Correlator::Counts now = correlator_.counts();
    blocks.front()->host_alerts_lost += now.alerts_lost - counted_.alerts_lost;
    blocks.front()->host_evictions += now.evictions - counted_.evictions;
    counted_ = now;
  }

 private:
  Correlator& correlator_;
  Outputs& outputs_;
  const Quota& quota_;
  Correlator::Counts counted_;
};

}  // namespace nids
