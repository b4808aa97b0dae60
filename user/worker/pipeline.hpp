// SPDX-License-Identifier: Apache-2.0
// The stages of a record in a worker: decode, flow, analyse, alert, retain, output. Live rings and
// replays use the same stages. Each worker has a pipeline with its own flows, analysers and
// counters. Only one thread at a time may use a pipeline. It opens no file and reads no clock.
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
#include "worker/class_rules.hpp"
#include "worker/quota.hpp"

namespace nids {

class Pipeline {
 public:
  struct Settings {
    FlowTable::Limits flows{};
    std::chrono::seconds interim{0};  // between two reports of a flow that continues; 0: none
    std::vector<FlaggedProtocol::Class> classes{};  // by index
    bool looks_for_scans = false;
    CapturePolicy::Limits policy{};
    Hold::Limits hold{};
  };
  // Commands the first pass what to send of a flow from now on; `word`: see NIDS_COMMAND_WORD.
  // Returns the number of slots that got the command. All workers call it.
  using Steer = std::function<std::uint32_t(std::uint32_t ifindex, const FlowIdentity&,
                                            nids_slot_address, std::uint8_t word)>;
  // What all workers share. The references must outlive the pipelines.
  struct Shared {
    Outputs& outputs;
    Correlator& correlator;
    Quota& quota;
    Steer steer;  // null: the first pass takes no commands
  };

  // `worker`: its number, from 0.
  Pipeline(Settings settings, std::size_t worker, Shared shared);

  // One record of the ring's layout. `counters` are the worker's, of the record's interface.
  void record(std::span<const std::byte> bytes, ClockOffset clock, nids_agent_counters& counters);

  // Reads the worker's slots of these tables from now on. `counters` are the worker's, of this
  // interface. Packets that a dead agent still held are counted as not kept.
  void watch(const FlowTables& tables, nids_agent_counters& counters);

  // The difference between the wall clock and the kernel's, from now on. After a step of the wall
  // clock the times of flows are shifted too, because no flow was silent for that long.
  void set_clock(ClockOffset clock);

  // Reads the worker's slots of all interfaces, and reports the flows that are over. Call it when
  // all that the rings held at some moment since the last call has been taken: see
  // FlowReader::scan().
  void scan(const TickClock& clock);
  // The same a piece at a time: looks at `slots` more slots. Returns whether the last slot of all
  // interfaces was among them.
  bool scan_some(const TickClock& clock, std::size_t slots);
  // Call it after that: reports at most `flows` flows. Returns whether none is left; the scan then
  // has ended.
  bool report_some(std::size_t flows);

  // Calls the analysers that want ticks, and sends the host events of an ended tick to the
  // correlator. Call it between two drains of the rings; it does a bounded amount of work.
  void tick(WallTime now);

  // Reports all flows and drops the held packets. Then only finish_tick() may be called.
  void end_flows(const TickClock& clock);
  // Sends the last host events. Call it after the correlator's thread has ended.
  void finish_tick();

  const FlowTable& flows() const { return flows_; }
  // The worker has read everything that the interfaces counted before this time.
  WallTime swept() const { return swept_; }

  // Uses these classes from now on. Call it only while the worker of this pipeline does not run.
  void use(const std::shared_ptr<const ClassRules>& rules);
  void change_classes(std::span<const std::uint8_t, 256> to) { flows_.change_classes(to); }

  // Adds what was counted since the last call to the worker's counters; a few times a second.
  void count();

 private:
  class OwnContext;
  struct Table {
    FlowReader reader;
    nids_agent_counters& counters;
  };
  // A scan in progress.
  struct Scan {
    std::map<std::uint32_t, Table>::iterator table;  // the first that is not read completely
    WallTime began;
    bool has_told_long_ones = false;
  };
  struct Retained {
    bool was_stored = false;  // it was given to the store, which may have lost it
    std::optional<Evidence> evidence{};
  };
  Scan& scan_under_way(WallTime now);
  void tell(const Flow& flow, FlowReason reason);
  void flow_changed(FlowRef ref, Flow& flow, FlowChange change);
  void hand_over(std::uint64_t tick);
  // Returns the counters for events of a complete link: those of its first interface that is still
  // attached.
  nids_agent_counters* counters_of(std::uint32_t link);
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
  WallTime swept_;                         // when the last complete scan of all slots began
  WallTime now_;                           // of the last scan or tick
  std::optional<ClockOffset> flow_clock_;  // that of the flows' times
  std::vector<std::unique_ptr<Analyser>> analysers_;
  FlaggedProtocol* flagged_protocol_;  // one of analysers_
  // Those that want flows, packets and ticks.
  std::vector<Analyser*> flow_analysers_, packet_analysers_, tick_analysers_;
  HostEventTable host_events_;
  HostBatch host_batch_;  // not sent yet, because the queue was full
  std::uint64_t tick_ = 0;
  CapturePolicy policy_;
  Hold hold_;
  // The values at the last count().
  std::uint64_t flow_evictions_ = 0, host_flows_merged_ = 0, host_flows_lost_ = 0;
  // Buffers for the current record.
  Packet packet_;
  ExportedFlow exported_flow_;
  std::vector<std::byte> wire_bytes_;  // of one segment of it
};

}  // namespace nids
