// SPDX-License-Identifier: Apache-2.0
#include "worker/pipeline.hpp"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <utility>

#include "analyse/flow/connection_outcome.hpp"
#include "analyse/flow/stateless_finding.hpp"
#include "decode/decode.hpp"
#include "decode/segment.hpp"
#include "nids/sum.hpp"
#include "output/kept_alert.hpp"

namespace nids {

// Collects what analysers raise, before suppression.
class Pipeline::OwnContext final : public Context {
 public:
  OwnContext(Pipeline& pipeline, WallTime now) : pipeline_(pipeline), now_(now) {}
  void alert(Alert alert) override { alerts.push_back(std::move(alert)); }
  void publish(HostEvent event) override { pipeline_.host_events_.add(std::move(event)); }
  Flow* flow(FlowRef ref) override { return pipeline_.flows_.find(ref); }
  WallTime now() const override { return now_; }
  // CPUs share the first events of a flow, but the interfaces of a link do not share them.
  WallTime read_until(const Flow& flow) const override {
    return pipeline_.flows_.links().find(flow.link) == nullptr ? now_ : pipeline_.swept();
  }

  std::vector<Alert> alerts;

 private:
  Pipeline& pipeline_;
  WallTime now_;
};

namespace {

constexpr std::uint64_t kTick_ns = 100'000'000;  // of host events

bool has_flow(const Packet& packet) { return (packet.headers.flags & NIDS_PACKET_IS_FLOW) != 0; }

}  // namespace

Pipeline::Pipeline(Settings settings, std::size_t worker, Shared shared)
    : interim_(settings.interim),
      worker_(worker),
      shared_(std::move(shared)),
      flows_(settings.flows, [this](const Flow& flow, FlowReason reason) { tell(flow, reason); }),
      host_events_({}),
      policy_(std::move(settings.policy)),
      hold_(settings.hold) {
  auto flagged = std::make_unique<FlaggedProtocol>(std::move(settings.classes));
  flagged_protocol_ = flagged.get();
  analysers_.push_back(std::move(flagged));
  analysers_.push_back(std::make_unique<StatelessFinding>());
  // A filter selects packets, and a flow does not say which packets it consists of.
  if (settings.looks_for_scans && !shared_.quota.has_filter())
    analysers_.push_back(std::make_unique<ConnectionOutcome>());
  for (const auto& one : analysers_) {
    const Wants wants = one->wants();
    if (wants.flows) flow_analysers_.push_back(one.get());
    if (wants.packets) packet_analysers_.push_back(one.get());
    if (wants.ticks) tick_analysers_.push_back(one.get());
  }
  flows_.observe(
      [this](FlowRef ref, Flow& flow, FlowChange change) { flow_changed(ref, flow, change); });
}

void Pipeline::record(std::span<const std::byte> bytes, ClockOffset clock,
                      nids_agent_counters& counters) {
  switch (decode(bytes, clock, packet_, exported_flow_)) {
    case DecodeResult::kPacket:
      each_wire_packet(packet_, wire_bytes_, [&](Packet& one) { packet(one, counters); });
      break;
    case DecodeResult::kFlowExport:
      if (const auto table = tables_.find(exported_flow_.ifindex); table != tables_.end())
        table->second.reader.exported(exported_flow_,
                                      [&](const FlowPart& part) { flows_.add(part); });
      break;
    case DecodeResult::kInvalid:
      counters.invalid_records += 1;
      break;
  }
  // Last, so that a record is pending until it is processed completely.
  counters.consumed.packets += 1;
  counters.consumed.bytes += bytes.size();
}

// flow -> select -> analyse -> alert -> retain -> output
void Pipeline::packet(Packet& packet, nids_agent_counters& counters) {
  const bool is_of_flow = has_flow(packet);
  const FlowRef ref = is_of_flow ? flows_.track(packet) : FlowRef{};
  std::optional<Flow> stranger;
  Flow& flow = is_of_flow ? *flows_.find(ref) : stranger.emplace(FlowTable::stranger(packet));
  counters.flows_tracked = flows_.size();

  OwnContext raised(*this, packet.time);
  bool is_left_out = !is_selected(packet);
  if (!is_left_out) {
    const PacketView view{packet, flow, ref};
    for (Analyser* analyser : packet_analysers_) analyser->on_packet(view, raised);
    is_left_out = !raised.alerts.empty() && !shared_.quota.take_suspicious();
  }
  if (is_left_out) {
    counters.not_analysed += one_packet(packet.bytes.size());
    counters.not_kept_by_policy += one_packet(packet.bytes.size());
    return;
  }
  raise(raised.alerts, packet, flow, counters);

  const auto alerts = admit(std::move(raised.alerts), is_of_flow ? &flow : nullptr, counters);
  std::optional<FlowRecord> flow_now;
  if (!alerts.empty() && is_of_flow && shared_.outputs.keeps_packets())
    flow_now = flows_.live_record_of(flow);
  const FlowRecord* then = flow_now ? &*flow_now : nullptr;
  const Retained retained = retain(packet, alerts, then, flow, counters);
  for (const RaisedAlert& one : alerts)
    shared_.outputs.alert({.raised = one,
                           .flow_now = then,
                           .evidence = retained.evidence,
                           .was_stored_with_packet = retained.was_stored},
                          counters);
}

std::vector<RaisedAlert> Pipeline::admit(std::vector<Alert> alerts, Flow* flow,
                                         nids_agent_counters& counters) {
  std::vector<RaisedAlert> admitted;
  std::string community_id;
  for (Alert& alert : alerts) {
    if (!shared_.outputs.is_news(alert)) {
      counters.alerts_suppressed += 1;
      continue;
    }
    if (flow) {
      flow->is_alerted = true;
      if (community_id.empty()) community_id = flow->community_id(flows_.community_id_seed());
      alert.community_id = community_id;
    }
    admitted.push_back(shared_.outputs.render(std::move(alert)));
  }
  return admitted;
}

bool Pipeline::is_selected(const Packet& packet) const {
  return !shared_.quota.has_enough() && shared_.quota.selects(packet);
}

// Updates what is stored of the flow of these alerts, suppressed ones included.
void Pipeline::raise(const std::vector<Alert>& alerts, const Packet& packet, Flow& flow,
                     nids_agent_counters& counters) {
  // A sample of a flow that is to be stored comes from a CPU that did not get the command.
  bool is_to_be_told = packet.reason == NIDS_REASON_FINDING && flow.kept_as != 0;
  for (const Alert& alert : alerts)
    is_to_be_told |= policy_.raise(flow, alert.kind, alert.severity);
  if (is_to_be_told) steer(packet, flow, counters);
}

void Pipeline::steer(const Packet& packet, const Flow& flow, nids_agent_counters& counters) {
  if (!shared_.steer || !has_flow(packet)) return;
  const std::uint8_t word = policy_.word_on(flow);
  flows_.links().each_interface(flow.link, [&](std::uint32_t ifindex) {
    counters.commands += shared_.steer(ifindex, flow.identity(), packet.slot, word);
  });
}

// Stores the held packets of the flow before the packet that raised an alert.
Pipeline::Retained Pipeline::retain(const Packet& packet, std::span<const RaisedAlert> alerts,
                                    const FlowRecord* flow_now, Flow& flow,
                                    nids_agent_counters& counters) {
  const auto verdict = policy_.judge(packet, flow, !alerts.empty());
  if (!shared_.outputs.keeps_packets()) {
    const bool is_lost = shared_.outputs.misses_store() && !shared_.quota.keeps_none();
    (is_lost ? counters.not_kept_by_error : counters.not_kept_by_policy) +=
        one_packet(packet.bytes.size());
    return {};
  }
  if (verdict.is_to_be_told) steer(packet, flow, counters);
  // Packets without a flow are not related to each other.
  if (has_flow(packet) && flow.severity != 0)
    hold_.release(flow.id,
                  [&](const Packet& held, auto& own) { keep(held, {}, nullptr, flow, own); });
  switch (verdict.fate) {
    case Fate::kHold:
      hold_.add(packet, flow.id, counters);
      return {};
    case Fate::kLeave:
      counters.not_kept_by_policy += one_packet(packet.bytes.size());
      return {};
    case Fate::kKeep:
      return keep(packet, alerts, flow_now, flow, counters);
  }
  return {};
}

Pipeline::Retained Pipeline::keep(const Packet& packet, std::span<const RaisedAlert> alerts,
                                  const FlowRecord* flow_now, const Flow& flow,
                                  nids_agent_counters& counters) {
  if (!shared_.quota.take_kept()) {
    counters.not_kept_by_policy += one_packet(packet.bytes.size());
    return {};
  }
  StoredPacket stored{.packet = packet,
                      .worker = worker_,
                      .counters = counters,
                      .alerts = alerts,
                      .severity = flow.severity,
                      .flow_id = has_flow(packet) ? flow.id : 0,
                      .flow_now = flow_now};
  if (has_flow(packet))
    stored.flow = [&] {
      return kept_flow(flow, shared_.outputs.names().class_name(flow.record_class()),
                       flows_.community_id_seed());
    };
  return {.was_stored = true, .evidence = shared_.outputs.store(stored)};
}

void Pipeline::watch(const FlowTables& tables, nids_agent_counters& counters) {
  tables_.try_emplace(
      tables.ifindex,
      Table{FlowReader(tables, false, static_cast<std::uint32_t>(worker_)), counters});
  // A dead agent has lost the packets that it held, and those that it had not written.
  counters.not_kept_by_policy += std::exchange(counters.held, {});
  const nids_sum unwritten = waiting_of(counters);
  counters.retained -= unwritten;
  counters.not_kept_by_error += unwritten;
}

void Pipeline::set_clock(ClockOffset clock) {
  // Smaller steps, as NTP makes all the time, are ignored: they end no flow.
  constexpr std::int64_t kStep_ns = 1'000'000'000;
  const std::int64_t step_ns = clock.ns - flow_clock_.value_or(clock).ns;
  if (flow_clock_ && std::abs(step_ns) < kStep_ns) return;
  if (step_ns != 0) flows_.shift(step_ns);
  if (scan_) scan_->began.ns += static_cast<std::uint64_t>(step_ns);
  if (swept_.ns != 0) swept_.ns += static_cast<std::uint64_t>(step_ns);
  flow_clock_ = clock;
}

void Pipeline::scan(const TickClock& clock) {
  scan_.reset();
  for (auto& [ifindex, table] : tables_) table.reader.start_again();
  while (!scan_some(clock, std::numeric_limits<std::size_t>::max())) {
  }
  report_some(FlowTable::kAll);
}

bool Pipeline::scan_some(const TickClock& clock, std::size_t slots) {
  now_ = clock.now;
  Scan& scan = scan_under_way(now_);
  if (scan.table != tables_.end()) {
    Table& table = scan.table->second;
    if (table.reader.scan_some(clock, slots, [&](const FlowPart& part) { flows_.add(part); })) {
      table.counters.slots_waiting = table.reader.waiting();
      ++scan.table;
    }
  }
  if (scan.table != tables_.end()) return false;
  swept_ = scan.began;
  return true;
}

Pipeline::Scan& Pipeline::scan_under_way(WallTime now) {
  if (scan_) return *scan_;
  for (auto& [ifindex, table] : tables_) table.counters.flows_tracked = flows_.size();
  return scan_.emplace(Scan{tables_.begin(), now});
}

// A slot that was read early in the scan may have grown since, so silence is measured at its start.
bool Pipeline::report_some(std::size_t flows) {
  if (!scan_->has_told_long_ones && interim_ > std::chrono::seconds(0) &&
      !flows_.tell_long_ones(now_, interim_, flows))
    return false;
  scan_->has_told_long_ones = true;
  if (!flows_.expire(scan_->began, flows)) return false;
  hold_.expire(now_);
  scan_.reset();
  return true;
}

void Pipeline::end_flows(const TickClock& clock) {
  scan(clock);
  flows_.end_all(FlowReason::kShutdown);
  hold_.clear();
  count();
}

// Each pointer shares the ownership of all rules and points at one member.
void Pipeline::use(const std::shared_ptr<const ClassRules>& rules) {
  flagged_protocol_->use({rules, &rules->flagged});
  policy_.use({rules, &rules->wanted});
}

void Pipeline::finish_tick() {
  hand_over(tick_ + 1);
  count();
}

void Pipeline::flow_changed(FlowRef ref, Flow& flow, FlowChange change) {
  FlowChanges& changes = shared_.outputs.changes();
  if (changes.is_followed())
    changes.add({change, flow.record_class(), flows_.live_record_of(flow)});
  OwnContext context(*this, now_);
  for (Analyser* analyser : flow_analysers_) analyser->on_flow(ref, flow, change, context);
  raise_without_packet(std::move(context.alerts));
}

void Pipeline::tick(WallTime now) {
  now_ = now;
  OwnContext context(*this, now);
  for (Analyser* analyser : tick_analysers_) analyser->on_tick(context);
  if (const std::uint64_t tick = now.ns / kTick_ns; tick != tick_) hand_over(tick);
  raise_without_packet(std::move(context.alerts));
}

// A batch for which the queue has no room is merged into the next tick.
void Pipeline::hand_over(std::uint64_t tick) {
  for (HostEvent& event : host_batch_.events) host_events_.add(std::move(event));
  host_batch_ = {
      .tick = tick_, .now = now_, .events = host_events_.take(std::move(host_batch_.events))};
  tick_ = tick;
  static_cast<void>(shared_.correlator.offer(worker_, host_batch_));
}

nids_agent_counters* Pipeline::counters_of(std::uint32_t link) {
  nids_agent_counters *attached = nullptr, *first = nullptr;
  flows_.links().each_interface(link, [&](std::uint32_t ifindex) {
    const auto table = tables_.find(ifindex);
    if (table == tables_.end()) return;
    if (!first) first = &table->second.counters;
    if (!attached && shared_.outputs.counters().is_attached(ifindex))
      attached = &table->second.counters;
  });
  return attached ? attached : first;
}

void Pipeline::raise_without_packet(std::vector<Alert> alerts) {
  for (Alert& alert : alerts)
    if (nids_agent_counters* counters = counters_of(alert.ifindex);
        counters && !shared_.quota.has_enough())
      shared_.outputs.raise(std::move(alert), *counters);
}

void Pipeline::tell(const Flow& flow, FlowReason reason) {
  nids_agent_counters* counters = counters_of(flow.link);
  if (!counters) return;
  counters->flow_records += 1;
  flows_.links().each_interface(flow.link, [&](std::uint32_t ifindex) {
    if (const auto table = tables_.find(ifindex); table != tables_.end())
      table->second.reader.mark_reported(flow.identity());
  });
  shared_.outputs.flow(flows_.record_of(flow, reason), now_);
}

void Pipeline::count() {
  if (tables_.empty()) return;
  // These count for all interfaces: in the first one still attached, because nobody reads the
  // others.
  const auto attached = std::ranges::find_if(tables_, [&](const auto& entry) {
    return shared_.outputs.counters().is_attached(entry.first);
  });
  nids_agent_counters& counters =
      (attached != tables_.end() ? attached : tables_.begin())->second.counters;
  // Added, not set: the counters are older than this process.
  const auto added = [](std::uint64_t now, std::uint64_t& before) {
    return now - std::exchange(before, now);
  };
  counters.flows_evicted += added(flows_.evictions(), flow_evictions_);
  counters.host_flows_merged += added(host_events_.merged(), host_flows_merged_);
  counters.host_flows_lost += added(host_events_.lost(), host_flows_lost_);
}

}  // namespace nids
