// SPDX-License-Identifier: Apache-2.0
// Workers, outputs and host analysers in the thread of the caller. A replay uses them, because its
// output must be the same every time. They open no file and read no clock.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "agent/host_alerts.hpp"
#include "agent/settings.hpp"
#include "analyse/host/correlator.hpp"
#include "decode/exported_flow.hpp"
#include "decode/packet.hpp"
#include "output/outputs.hpp"
#include "worker/pipeline.hpp"

namespace nids {

class InlineWorkers {
 public:
  // `interfaces`: names by ifindex. The number of workers does not change the results: a replay has
  // one, and tests compare it with several.
  InlineWorkers(const Config& config, std::map<std::uint32_t, std::string> interfaces, Sinks sinks,
                Selection selection = {}, const Pipeline::Steer& steer = {},
                std::size_t workers = 1);

  // The workers and the outputs count in the same block.
  void watch(FlowTables tables, nids_agent_counters& counters);
  void record(std::span<const std::byte> bytes, nids_agent_counters& counters);
  void scan(const TickClock& clock);
  void tick(WallTime now);
  void flush(WallTime now);
  // The end: reports all flows. Waits for the disk.
  void end(const TickClock& clock);

  Pipeline& worker(std::size_t number = 0) { return *pipelines_[number]; }
  Outputs& outputs() { return outputs_; }
  bool has_enough() const { return quota_.has_enough(); }

 private:
  std::size_t worker_of(std::span<const std::byte> record);

  Outputs outputs_;
  Correlator correlator_;
  Quota quota_;
  HostAlerts host_alerts_;
  std::vector<std::unique_ptr<Pipeline>> pipelines_;
  FlowTables tables_;
  // Buffers for the current record.
  Packet packet_;
  ExportedFlow exported_flow_;
};

}  // namespace nids
