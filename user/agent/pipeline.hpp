// SPDX-License-Identifier: Apache-2.0
// A record's way through the agent, stage by stage: the second table of contents. The same for the
// live ring and for a replay. Opens nothing, and never asks a clock.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "alert/suppression.hpp"
#include "analyse/analyser.hpp"
#include "config/config.hpp"
#include "decode/packet.hpp"
#include "flow/flow_table.hpp"
#include "log/eve.hpp"
#include "nids/abi/counters.h"
#include "retain/store.hpp"

namespace nids {

// Where the pipeline's results go; what is left out is not written.
struct Sinks {
  std::optional<EveLog> eve;
  std::optional<Store> store;
  // Packets are wanted, but there is no store: each counts as not kept by error.
  bool store_is_missing = false;
  bool eve_is_missing = false;
  std::function<void(const Alert&)> on_alert;  // an alert that was not suppressed
  // Tells the first pass what to send up of a flow from now on; none: it can't be told.
  // Returns how many slots were told.
  std::function<std::uint32_t(std::uint32_t ifindex, const nids_flow_key&, nids_slot_address,
                              nids_interest)>
      steer;
};

class Pipeline {
 public:
  // Names by ifindex, for `in_iface`.
  Pipeline(const Config& config, std::map<std::uint32_t, std::string> interfaces, Sinks sinks);

  // One record of the ring's layout. `counters` are those of its interface.
  void record(std::span<const std::byte> bytes, ClockOffset clock, nids_agent_counters& counters);

  // Writes what is buffered; call it after each batch of one interface's records.
  void flush(nids_agent_counters& counters);

  std::uint64_t degraded() const;  // NIDS_DEGRADED_*, of the outputs as they are now

 private:
  class RaisedAlerts;
  void packet(const Packet& packet, nids_agent_counters& counters);
  void steer(const Packet& packet, const Flow& flow, nids_agent_counters& counters);
  std::optional<Evidence> retain(const Packet& packet, const std::vector<Alert>& alerts, Flow& flow,
                                 nids_agent_counters& counters);
  void log(const Alert& alert, const std::optional<Evidence>& evidence,
           nids_agent_counters& counters);

  std::map<std::uint32_t, std::string> interfaces_;
  std::vector<std::uint32_t> depths_;  // bytes a direction, by class index
  FlowTable flows_;
  std::vector<std::unique_ptr<Analyser>> analysers_;
  Suppression suppression_;
  std::uint64_t flow_evictions_ = 0, suppression_evictions_ = 0;  // counted so far
  Sinks sinks_;
  Packet packet_, wire_packet_;  // reused, so that their buffers keep their capacity
};

}  // namespace nids
