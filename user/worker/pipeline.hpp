// SPDX-License-Identifier: Apache-2.0
// A record's way through a worker, stage by stage: flow, analyse, alert, retain, log. The same for
// the live rings and for a replay. Each worker has one, with the flows, the analysers and the
// counters of its own. For one thread at a time. Opens nothing, and never asks a clock.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "analyse/analyser.hpp"
#include "analyse/flow/flagged_protocol.hpp"
#include "analyse/host/correlator.hpp"
#include "analyse/host/host_event_table.hpp"
#include "decode/exported_flow.hpp"
#include "decode/packet.hpp"
#include "flow/flow_table.hpp"
#include "nids/abi/counters.h"
#include "output/outputs.hpp"
#include "retain/hold.hpp"
#include "retain/policy.hpp"
#include "source/flow_reader.hpp"
#include "worker/quota.hpp"

namespace nids {

class Pipeline {
 public:
  struct Settings {
    FlowTable::Limits flows{};
    std::chrono::seconds interim{0};  // between two records of a flow that goes on; 0: none
    std::vector<FlaggedProtocol::Class> classes{};  // by index
    bool looks_for_scans = false;
    CapturePolicy::Limits policy{};
    Hold::Limits hold{};
  };
  // Tells the first pass what to send of a flow from now on, by NIDS_COMMAND_WORD. Returns how many
  // slots were told. Any thread may call it.
  using Steer = std::function<std::uint32_t(std::uint32_t ifindex, const FlowIdentity&,
                                            nids_slot_address, std::uint8_t word)>;
  // What all workers share. It must outlive them.
  struct Shared {
    Outputs& outputs;
    Correlator& correlator;
    Quota& quota;
    Steer steer;  // null: the first pass cannot be told
  };

  // `worker`: its number, from 0.
  Pipeline(Settings settings, std::size_t worker, Shared shared);

  // One record of the ring's layout. `counters` are the worker's, of the record's interface.
  void record(std::span<const std::byte> bytes, ClockOffset clock, nids_agent_counters& counters);

  // The tables of an interface, whose slots are read from now on. `counters` are the worker's, of
  // this interface; what an agent before still held was never kept.
  void watch(const FlowTables& tables, nids_agent_counters& counters);

  // How far the wall clock is from the kernel's, from now on. Where it was set anew, the times of
  // flows go along: a flow that goes on has not been silent for the step.
  void set_clock(ClockOffset clock);

  // Reads the worker's slots of all interfaces, and tells the flows that are over. Call it when all
  // that the rings held at some moment since the last call has been taken: see FlowReader::scan().
  void scan(const TickClock& clock);
  // The same a piece at a time: looks at so many slots more. Returns whether the last of all
  // interfaces was among them.
  bool scan_some(const TickClock& clock, std::size_t slots);
  // After that: reports at most `flows` flows. Returns whether none is left, which ends the scan.
  bool report_some(std::size_t flows);

  // Calls the analysers that want ticks, and sends the host events of an ended tick to the
  // correlator. Call it between two drains of the rings; it does a bounded amount of work.
  void tick(WallTime now);

  // Tells all flows, and lets go of what is held. Then only finish_tick() may be called.
  void end_flows(const TickClock& clock);
  // Sends the last host events. Call it when the correlator has no thread any more.
  void finish_tick();

  const FlowTable& flows() const { return flows_; }

  // Adds what was counted since the last call to the worker's counters; a few times a second.
  void count();

 private:
  class OwnContext;
  struct Table {
    FlowReader reader;
    nids_agent_counters& counters;
  };
  // A scan under way: what was counted before it began is known when it ends.
  struct Scan {
    std::map<std::uint32_t, Table>::iterator table;  // the first that is not read to its end
    WallTime began;
    bool has_told_long_ones = false;
  };
  struct Retained {
    bool was_stored = false;  // the store had it, whatever became of it there
    std::optional<Evidence> evidence{};
  };
  Scan& scan_under_way(WallTime now);
  void tell(const Flow& flow, FlowReason reason);
  void flow_changed(FlowRef ref, Flow& flow, FlowChange change);
  void hand_over(std::uint64_t tick);
  // Raises alerts that no packet caused.
  void raise_without_packet(std::vector<Alert> alerts);
  void packet(Packet& packet, nids_agent_counters& counters);
  bool is_selected(const Packet& packet) const;
  void raise(const std::vector<Alert>& alerts, const Packet& packet, Flow& flow,
             nids_agent_counters& counters);
  void steer(const Packet& packet, const Flow& flow, nids_agent_counters& counters);
  // Returns the alerts that are not suppressed. `flow`: theirs; null if they have none.
  std::vector<RaisedAlert> admit(std::vector<Alert> alerts, Flow* flow,
                                 nids_agent_counters& counters);
  Retained retain(const Packet& packet, std::span<const RaisedAlert> alerts,
                  const FlowRecord* flow_now, Flow& flow, nids_agent_counters& counters);
  Retained keep(const Packet& packet, std::span<const RaisedAlert> alerts,
                const FlowRecord* flow_now, const Flow& flow, nids_agent_counters& counters);

  const std::chrono::seconds interim_;
  const std::size_t worker_;
  Shared shared_;
  FlowTable flows_;
  std::map<std::uint32_t, Table> tables_;  // by ifindex
  std::optional<Scan> scan_;
  WallTime now_;                           // of the last look at slots
  std::optional<ClockOffset> flow_clock_;  // that of the flows' times
  std::vector<std::unique_ptr<Analyser>> analysers_;
  // By what they want.
  std::vector<Analyser*> flow_analysers_, packet_analysers_, tick_analysers_;
  HostEventTable host_events_;
  HostBatch host_batch_;  // the queue had no room for it yet
  std::uint64_t tick_ = 0;
  CapturePolicy policy_;
  Hold hold_;
  // Counted so far.
  std::uint64_t flow_evictions_ = 0, host_flows_merged_ = 0, host_flows_lost_ = 0;
  // Of the record at hand; used again.
  Packet packet_;
  ExportedFlow exported_flow_;
  std::vector<std::byte> wire_bytes_;  // of one segment of it
};

}  // namespace nids
