// SPDX-License-Identifier: Apache-2.0
// A record's way through the agent, stage by stage: the second table of contents. The same for the
// live ring and for a replay. Opens nothing, and never asks a clock.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/correlator.hpp"
#include "agent/selection.hpp"
#include "alert/evidence.hpp"
#include "alert/suppression.hpp"
#include "analyse/analyser.hpp"
#include "analyse/host/host_event_table.hpp"
#include "config/config.hpp"
#include "decode/exported_flow.hpp"
#include "decode/packet.hpp"
#include "export/udp_exporter.hpp"
#include "flow/flow_table.hpp"
#include "log/eve.hpp"
#include "log/eve_writer.hpp"
#include "nids/abi/counters.h"
#include "retain/hold.hpp"
#include "retain/policy.hpp"
#include "retain/store.hpp"
#include "source/flow_reader.hpp"

namespace nids {

// Where the pipeline's results go; what is left out is not written.
struct Sinks {
  std::optional<EveWriter> eve;
  std::optional<Store> store;
  // Packets are wanted, but there is no store: each counts as not kept by error.
  bool store_is_missing = false;
  bool eve_is_missing = false;
  std::optional<UdpExporter> exporter;
  bool exporter_is_missing = false;
  std::function<void(const Alert&)> on_alert;       // an alert that was not suppressed
  std::function<std::uint64_t()> lines_lost;        // of those and of warnings, so far
  std::function<void(const std::string&)> warning;  // what failed, for people
  // Tells the first pass what to send up of a flow from now on, by NIDS_COMMAND_WORD; none: it
  // can't be told. Returns how many slots were told.
  std::function<std::uint32_t(std::uint32_t ifindex, const FlowIdentity&, nids_slot_address,
                              std::uint8_t word)>
      steer;
};

class Pipeline {
 public:
  // Names by ifindex, for `in_iface`.
  Pipeline(const Config& config, std::map<std::uint32_t, std::string> interfaces, Sinks sinks,
           Selection selection = {});

  // One record of the ring's layout. `counters` are those of its interface.
  void record(std::span<const std::byte> bytes, ClockOffset clock, nids_agent_counters& counters);

  // The tables of an interface, whose slots are read from now on. `counters` are the interface's;
  // what an agent before still held was never kept.
  void watch(const FlowTables& tables, nids_agent_counters& counters);

  // How far the wall clock is from the kernel's, from now on. Where it was set anew, the times of
  // flows go along: a flow that goes on has not been silent for the step.
  void set_clock(ClockOffset clock);

  // Reads the slots of all interfaces, and tells the flows that are over. Call it when all that
  // the rings held at some moment since the last call has been taken: see FlowReader::scan().
  void scan(const TickClock& clock);
  // The same a piece at a time: looks at so many slots more. Returns whether the last of all
  // interfaces was among them.
  bool scan_some(const TickClock& clock, std::size_t slots);
  // After that: reports at most `flows` flows. Returns whether none is left, which ends the scan.
  bool report_some(std::size_t flows);

  // Calls the analysers that want ticks, and sends the host events of an ended tick to the
  // correlator. Call it between two drains of the rings; it does a bounded amount of work.
  void tick(WallTime now);
  // Starts the thread of the host analysers. Returns false if it cannot be started; then they run
  // in the thread that calls tick().
  bool start_correlator() { return correlator_.start_thread(); }

  // Tells all flows, and lets go of what is held: what was told was the last.
  void end_flows(const TickClock& clock);

  // As many suspicious packets have come as were asked for: later ones are only counted.
  bool has_enough() const { return suspicious_ >= selection_.max_suspicious; }

  const FlowTable& flows() const { return flows_; }
  const std::vector<std::string>& class_names() const { return class_names_; }  // by index
  const std::string& class_name(std::uint8_t class_id) const;
  const std::string& interface_name(std::uint32_t ifindex) const;  // empty: not known

  // Who is told of flows as they begin, change and end; null: nobody.
  using Follower = std::function<void(const Flow&, FlowChange)>;
  void follow(Follower follower);

  // Gives away what is buffered, and tells in `counters` what has become of it; once a second.
  void flush(nids_agent_counters& counters);
  // The same when all is over; waits for the disk.
  void finish(nids_agent_counters& counters);

  // Called after each EVE line.
  void after_eve_line(std::function<void()> hook) { after_eve_line_ = std::move(hook); }
  std::uint64_t eve_bytes() const { return sinks_.eve ? sinks_.eve->end_bytes() : 0; }
  // Lines go to this file from now on, and it is owned here. `removed`: old ones that went for it.
  void take_eve_file(int fd, std::uint32_t removed);
  void keep_eve_file();  // there is no other
  // For the end: EVE lines wait for their disk until then, and `meanwhile` is called.
  void wait_for_eve(std::chrono::steady_clock::time_point deadline,
                    std::function<void()> meanwhile);

  bool wants_collector() const { return sinks_.exporter && sinks_.exporter->wants_socket(); }
  void take_collector(Fd socket) {
    if (sinks_.exporter) sinks_.exporter->replace_socket(std::move(socket));
  }

  std::uint64_t degraded() const;  // NIDS_DEGRADED_*, of the outputs as they are now

 private:
  class OwnContext;
  // An alert that is not suppressed, rendered where an output wants that.
  struct RaisedAlert {
    Alert alert;
    std::optional<EveAlert> eve;
  };
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
  Scan& scan_under_way(WallTime now);
  void tell(const Flow& flow, FlowReason reason);
  void flow_changed(FlowRef ref, Flow& flow, FlowChange change);
  void hand_over(std::uint64_t tick);
  // Raises alerts that no packet caused.
  void raise_without_packet(std::vector<Alert> alerts);
  void flush_export();
  void count(nids_agent_counters& counters);
  void warn();
  void write_eve(std::string_view line, nids_agent_counters& counters);
  void packet(Packet& packet, nids_agent_counters& counters);
  bool is_selected(const Packet& packet) const;
  void raise(const std::vector<Alert>& alerts, const Packet& packet, Flow& flow,
             nids_agent_counters& counters);
  void steer(const Packet& packet, const Flow& flow, nids_agent_counters& counters);
  // Returns the alerts that are not suppressed. `flow`: theirs; null if they have none.
  std::vector<RaisedAlert> admit(std::vector<Alert> alerts, Flow* flow,
                                 nids_agent_counters& counters);
  std::optional<Evidence> retain(const Packet& packet, const std::vector<RaisedAlert>& alerts,
                                 Flow& flow, nids_agent_counters& counters);
  void leave(const Packet& packet, const std::vector<RaisedAlert>& alerts, const Flow& flow,
             nids_agent_counters& counters);
  std::optional<Evidence> keep(const Packet& packet, const std::vector<RaisedAlert>& alerts,
                               const Flow& flow, nids_agent_counters& counters);
  std::vector<KeptAlert> kept_alerts(const std::vector<RaisedAlert>& alerts,
                                     const Flow* flow) const;
  void log(const RaisedAlert& raised, const std::optional<Evidence>& evidence,
           nids_agent_counters& counters);

  std::map<std::uint32_t, std::string> interfaces_;
  std::vector<std::string> class_names_;  // by class index
  FlowTable flows_;
  std::map<std::uint32_t, Table> tables_;  // by ifindex
  std::optional<Scan> scan_;
  std::chrono::seconds interim_;  // between two records of a flow that goes on; 0: none
  bool eve_has_flows_, eve_is_stuck_ = false;
  std::function<void()> after_eve_line_;
  Follower follower_;
  UdpExporter::Counts exported_;           // counted so far
  WallTime now_;                           // of the last look at slots
  std::optional<ClockOffset> flow_clock_;  // that of the flows' times
  std::vector<std::unique_ptr<Analyser>> analysers_;
  // By what they want.
  std::vector<Analyser*> flow_analysers_, packet_analysers_, tick_analysers_;
  HostEventTable host_events_;
  HostBatch host_batch_;  // the queue had no room for it yet
  std::uint64_t tick_ = 0;
  Correlator correlator_;
  Suppression suppression_;
  Selection selection_;
  std::uint64_t suspicious_ = 0;      // packets so far that raised an alert
  std::uint64_t given_to_store_ = 0;  // packets so far
  CapturePolicy policy_;
  Hold hold_;
  // Counted so far.
  std::uint64_t flow_evictions_ = 0, suppression_evictions_ = 0, lines_lost_ = 0;
  std::uint64_t host_flows_merged_ = 0, host_flows_lost_ = 0;
  Correlator::Counts host_counts_;
  Sinks sinks_;
  // Of the record at hand; used again.
  Packet packet_;
  ExportedFlow exported_flow_;
  std::vector<std::byte> wire_bytes_;  // of one segment of it
};

}  // namespace nids
