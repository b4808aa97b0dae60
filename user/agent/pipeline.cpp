// SPDX-License-Identifier: Apache-2.0
#include "agent/pipeline.hpp"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <utility>

#include "agent/class_table.hpp"
#include "agent/kept_alert.hpp"
#include "analyse/flow/connection_outcome.hpp"
#include "analyse/flow/flagged_protocol.hpp"
#include "analyse/flow/stateless_finding.hpp"
#include "analyse/host/port_scan.hpp"
#include "decode/decode.hpp"
#include "decode/segment.hpp"
#include "log/eve.hpp"
#include "log/eve_flow.hpp"
#include "nids/sum.hpp"

namespace nids {

// Analysers raise into it; suppression then decides what is news.
class Pipeline::OwnContext final : public Context {
 public:
  OwnContext(Pipeline& pipeline, WallTime now) : pipeline_(pipeline), now_(now) {}
  void alert(Alert alert) override { alerts.push_back(std::move(alert)); }
  void publish(HostEvent event) override { pipeline_.host_events_.add(std::move(event)); }
  Flow* flow(FlowRef ref) override { return pipeline_.flows_.find(ref); }
  WallTime now() const override { return now_; }

  std::vector<Alert> alerts;

 private:
  Pipeline& pipeline_;
  WallTime now_;
};

namespace {

// By FlowPhase.
auto timeouts(const Config::Flow& config) {
  return decltype(FlowTable::Limits::timeout){
      std::chrono::seconds(config.tcp_new_seconds),
      std::chrono::seconds(config.tcp_established_seconds),
      std::chrono::seconds(config.tcp_closed_seconds),
      std::chrono::seconds(config.udp_seconds),
      std::chrono::seconds(config.icmp_seconds),
      std::chrono::seconds(config.other_seconds),
      FlowTable::Limits{}.timeout[std::size_t{kFlowPhases - 1}]};
}

constexpr std::uint64_t kTick_ns = 100'000'000;  // of host events

std::vector<std::unique_ptr<HostAnalyser>> host_analysers(const Config& config) {
  std::vector<std::unique_ptr<HostAnalyser>> all;
  if (config.scan.enabled)
    all.push_back(std::make_unique<PortScan>(PortScan::Limits{
        .ports = config.scan.ports, .window = std::chrono::seconds(config.scan.window_seconds)}));
  return all;
}

}  // namespace

Pipeline::Pipeline(const Config& config, std::map<std::uint32_t, std::string> interfaces,
                   Sinks sinks, Selection selection)
    : interfaces_(std::move(interfaces)),
      class_names_{""},
      flows_({.max_flows = config.flow.max_tracked_flows,
              .community_id_seed = config.community_id_seed,
              .timeout = timeouts(config.flow)},
             [this](const Flow& flow, FlowReason reason) { tell(flow, reason); }),
      interim_(config.flow.interim_seconds),
      eve_has_flows_(config.eve.flows),
      host_events_({}),
      correlator_(host_analysers(config), 1, {}),
      suppression_({.window = std::chrono::seconds(config.alert.suppress_seconds),
                    .max_entries = config.alert.max_suppressions}),
      selection_(std::move(selection)),
      policy_(capture_limits(config, sinks.store.has_value())),
      hold_({.budget_bytes = config.retain.hold_budget_bytes,
             .time = std::chrono::seconds(config.retain.hold_seconds)}),
      sinks_(std::move(sinks)) {
  for (const ProtocolClass& one : config.classes) class_names_.push_back(one.name);
  analysers_.push_back(std::make_unique<FlaggedProtocol>(flagged_classes(config)));
  analysers_.push_back(std::make_unique<StatelessFinding>());
  // A filter selects packets, and a flow does not say which packets it consists of.
  if (config.scan.enabled && !selection_.filter)
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
  // Last, so that nothing pending means that everything is worked off.
  counters.consumed.packets += 1;
  counters.consumed.bytes += bytes.size();
}

// flow -> select -> analyse -> alert -> retain / log
void Pipeline::packet(Packet& packet, nids_agent_counters& counters) {
  const bool has_flow = (packet.headers.flags & NIDS_PACKET_IS_FLOW) != 0;
  Flow stranger;
  if (!has_flow) stranger = FlowTable::stranger(packet);
  const FlowRef ref = has_flow ? flows_.track(packet) : FlowRef{};
  Flow& flow = has_flow ? *flows_.find(ref) : stranger;
  counters.flows_tracked = flows_.size();

  if (!is_selected(packet)) {
    counters.not_analysed += one_packet(packet.bytes.size());
    counters.not_kept_by_policy += one_packet(packet.bytes.size());
    return;
  }

  OwnContext raised(*this, packet.time);
  const PacketView view{packet, flow, ref};
  for (Analyser* analyser : packet_analysers_) analyser->on_packet(view, raised);
  suspicious_ += !raised.alerts.empty();
  raise(raised.alerts, packet, flow, counters);

  const auto alerts = admit(std::move(raised.alerts), has_flow ? &flow : nullptr, counters);
  const auto evidence = retain(packet, alerts, flow, counters);
  for (const RaisedAlert& alert : alerts) log(alert, evidence, counters);
}

std::vector<Pipeline::RaisedAlert> Pipeline::admit(std::vector<Alert> alerts, Flow* flow,
                                                   nids_agent_counters& counters) {
  std::vector<RaisedAlert> admitted;
  std::string community_id;
  for (Alert& alert : alerts) {
    if (!suppression_.admit(alert)) {
      counters.alerts_suppressed += 1;
      continue;
    }
    alert.interface = interface_name(alert.ifindex);
    if (flow) {
      flow->is_alerted = true;
      if (community_id.empty()) community_id = flow->community_id(flows_.community_id_seed());
      alert.community_id = community_id;
    }
    std::optional<EveAlert> eve;
    if (sinks_.eve || sinks_.store) eve.emplace(alert);
    admitted.push_back({std::move(alert), std::move(eve)});
  }
  return admitted;
}

bool Pipeline::is_selected(const Packet& packet) const {
  return !has_enough() && (!selection_.filter || selection_.filter->matches(packet));
}

// What alerts mean for what is kept of their flow, be they news or not.
void Pipeline::raise(const std::vector<Alert>& alerts, const Packet& packet, Flow& flow,
                     nids_agent_counters& counters) {
  // A sample of a flow that is wanted comes from a CPU that has not been told so.
  bool is_to_be_told = packet.reason == NIDS_REASON_FINDING && flow.kept_as != 0;
  for (const Alert& alert : alerts)
    is_to_be_told |= policy_.raise(flow, alert.kind, alert.severity);
  if (is_to_be_told) steer(packet, flow, counters);
}

void Pipeline::steer(const Packet& packet, const Flow& flow, nids_agent_counters& counters) {
  const bool has_flow = (packet.headers.flags & NIDS_PACKET_IS_FLOW) != 0;
  if (!sinks_.steer || !has_flow) return;
  counters.commands +=
      sinks_.steer(packet.ifindex, flow.identity(), packet.slot, policy_.word_on(flow));
}

// What was held of its flow is kept before the packet that raised an alert.
std::optional<Evidence> Pipeline::retain(const Packet& packet,
                                         const std::vector<RaisedAlert>& alerts, Flow& flow,
                                         nids_agent_counters& counters) {
  const auto verdict = policy_.judge(packet, flow, !alerts.empty());
  if (verdict.is_to_be_told && sinks_.store) steer(packet, flow, counters);
  if (!sinks_.store) {
    const bool is_lost = sinks_.store_is_missing && selection_.max_kept != 0;
    (is_lost ? counters.not_kept_by_error : counters.not_kept_by_policy) +=
        one_packet(packet.bytes.size());
    return std::nullopt;
  }
  // Packets of no flow have none in common that an alert could be about.
  const bool has_flow = (packet.headers.flags & NIDS_PACKET_IS_FLOW) != 0;
  if (has_flow && flow.severity != 0)
    hold_.release(flow.id, [&](const Packet& held, auto& own) { keep(held, {}, flow, own); });
  switch (verdict.fate) {
    case Fate::kHold:
      hold_.add(packet, flow.id, counters);
      break;
    case Fate::kLeave:
      leave(packet, alerts, flow, counters);
      break;
    case Fate::kKeep:
      return keep(packet, alerts, flow, counters);
  }
  return std::nullopt;
}

// Alerts can be asked for without their packet, too.
void Pipeline::leave(const Packet& packet, const std::vector<RaisedAlert>& alerts, const Flow& flow,
                     nids_agent_counters& counters) {
  counters.not_kept_by_policy += one_packet(packet.bytes.size());
  if (alerts.empty()) return;
  const bool has_flow = (packet.headers.flags & NIDS_PACKET_IS_FLOW) != 0;
  sinks_.store->note(kept_alerts(alerts, has_flow ? &flow : nullptr), counters);
}

std::optional<Evidence> Pipeline::keep(const Packet& packet, const std::vector<RaisedAlert>& alerts,
                                       const Flow& flow, nids_agent_counters& counters) {
  if (given_to_store_ >= selection_.max_kept) {
    leave(packet, alerts, flow, counters);
    return std::nullopt;
  }
  ++given_to_store_;
  const bool has_flow = (packet.headers.flags & NIDS_PACKET_IS_FLOW) != 0;
  Store::Facts facts{.severity = flow.severity,
                     .flow_id = has_flow ? flow.id : 0,
                     .is_related = (packet.headers.flags & NIDS_PACKET_IS_RELATED) != 0,
                     .alerts = kept_alerts(alerts, has_flow ? &flow : nullptr),
                     .flow = {}};
  if (has_flow)
    facts.flow = [&] {
      return kept_flow(flow, class_name(flow.record_class()), flows_.community_id_seed());
    };
  const auto place = sinks_.store->keep(packet, std::move(facts), counters);
  if (!place || alerts.empty()) return std::nullopt;
  return Evidence{sinks_.store->file_of(*place), place->number};
}

std::vector<KeptAlert> Pipeline::kept_alerts(const std::vector<RaisedAlert>& alerts,
                                             const Flow* flow) const {
  std::vector<KeptAlert> kept;
  if (alerts.empty()) return kept;
  const auto then = flow ? std::optional(flows_.live_record_of(*flow)) : std::nullopt;
  for (const RaisedAlert& one : alerts)
    kept.push_back(kept_alert(one.alert, *one.eve, then ? &*then : nullptr));
  return kept;
}

void Pipeline::log(const RaisedAlert& raised, const std::optional<Evidence>& evidence,
                   nids_agent_counters& counters) {
  counters.alerts_by_severity[std::clamp(raised.alert.severity, 1, 3)] += 1;
  if (sinks_.eve) write_eve(raised.eve->line(evidence), counters);
  counters.eve_lost += sinks_.eve_is_missing;
  if (sinks_.on_alert) sinks_.on_alert(raised.alert);
}

void Pipeline::write_eve(std::string_view line, nids_agent_counters& counters) {
  sinks_.eve->write(line, counters);
  if (after_eve_line_) after_eve_line_();
}

// The counter is with the first interface, as the exporter's are.
void Pipeline::take_eve_file(int fd, std::uint32_t removed) {
  if (sinks_.eve)
    sinks_.eve->replace(fd);
  else
    sinks_.eve.emplace(fd);
  sinks_.eve_is_missing = false;
  eve_is_stuck_ = false;
  if (!tables_.empty()) tables_.begin()->second.counters.eve_files_removed += removed;
}

void Pipeline::keep_eve_file() {
  eve_is_stuck_ = true;
  if (sinks_.eve) sinks_.eve->keep_file();
}

void Pipeline::wait_for_eve(std::chrono::steady_clock::time_point deadline,
                            std::function<void()> meanwhile) {
  if (sinks_.eve) sinks_.eve->wait_until(deadline, std::move(meanwhile));
}

void Pipeline::watch(const FlowTables& tables, nids_agent_counters& counters) {
  tables_.try_emplace(tables.ifindex, Table{FlowReader(tables), counters});
  // Of an agent that died.
  const nids_sum held = std::exchange(counters.held, {});
  counters.not_kept_by_policy += held;
  const nids_sum unwritten = waiting_of(counters);
  counters.retained -= unwritten;
  counters.not_kept_by_error += unwritten;
}

void Pipeline::set_clock(ClockOffset clock) {
  // Smaller ones, as NTP makes all the time, end no flow.
  constexpr std::int64_t kStep_ns = 1'000'000'000;
  const std::int64_t step_ns = clock.ns - flow_clock_.value_or(clock).ns;
  if (flow_clock_ && std::abs(step_ns) < kStep_ns) return;
  if (step_ns != 0) flows_.shift(step_ns);
  if (scan_) scan_->began.ns += static_cast<std::uint64_t>(step_ns);
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
  return scan.table == tables_.end();
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
  flush_export();
  scan_.reset();
  return true;
}

void Pipeline::end_flows(const TickClock& clock) {
  scan(clock);
  flows_.end_all(FlowReason::kShutdown);
  correlator_.finish();  // no batch is refused after it
  hand_over(tick_ + 1);
  raise_without_packet(correlator_.take_alerts());
  hold_.clear();
  flush_export();
  flush_export();  // which learns whether the last message was refused
}

// The exporter is of all interfaces; its counters are with the first.
void Pipeline::flush_export() {
  if (!sinks_.exporter || tables_.empty()) return;
  sinks_.exporter->flush(now_);
  const auto counts = sinks_.exporter->counts();
  nids_agent_counters& counters = tables_.begin()->second.counters;
  // A record that was sent may turn out to be lost: the difference may be below 0, and wraps.
  counters.ipfix_sent += counts.delivered - exported_.delivered;
  counters.ipfix_lost += counts.lost - exported_.lost;
  exported_ = counts;
}

const std::string& Pipeline::class_name(std::uint8_t class_id) const {
  return class_names_[std::min<std::size_t>(class_id, class_names_.size() - 1)];
}

const std::string& Pipeline::interface_name(std::uint32_t ifindex) const {
  static const std::string none;
  const auto named = interfaces_.find(ifindex);
  return named == interfaces_.end() ? none : named->second;
}

void Pipeline::follow(Follower follower) { follower_ = std::move(follower); }

void Pipeline::flow_changed(FlowRef ref, Flow& flow, FlowChange change) {
  if (follower_) follower_(flow, change);
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
  raise_without_packet(correlator_.take_alerts());
}

// A batch for which the queue has no room is merged into the next tick.
void Pipeline::hand_over(std::uint64_t tick) {
  for (HostEvent& event : host_batch_.events) host_events_.add(std::move(event));
  host_batch_ = {.tick = tick_, .now = now_, .events = host_events_.take()};
  tick_ = tick;
  if (correlator_.offer(0, host_batch_)) host_batch_ = {};
}

void Pipeline::raise_without_packet(std::vector<Alert> alerts) {
  for (Alert& alert : alerts) {
    const auto table = tables_.find(alert.ifindex);
    if (table == tables_.end() || has_enough()) continue;
    nids_agent_counters& counters = table->second.counters;
    for (const RaisedAlert& one : admit({std::move(alert)}, nullptr, counters)) {
      if (sinks_.store) sinks_.store->note(kept_alerts({one}, nullptr), counters);
      log(one, std::nullopt, counters);
    }
  }
}

void Pipeline::tell(const Flow& flow, FlowReason reason) {
  const auto table = tables_.find(flow.ifindex);
  if (table == tables_.end()) return;
  nids_agent_counters& counters = table->second.counters;
  const FlowRecord record = flows_.record_of(flow, reason);
  counters.flow_records += 1;
  table->second.reader.mark_reported(flow.identity());
  if (sinks_.exporter) sinks_.exporter->add(record, now_);
  if (sinks_.eve && eve_has_flows_)
    write_eve(
        eve_flow_line(record, class_name(record.class_id), interface_name(flow.ifindex), now_),
        counters);
}

void Pipeline::count(nids_agent_counters& counters) {
  // Added, not set: the counters are one interface's, and older than this process.
  const auto added = [](std::uint64_t now, std::uint64_t& before) {
    return now - std::exchange(before, now);
  };
  counters.flows_evicted += added(flows_.evictions(), flow_evictions_);
  counters.suppressions_evicted += added(suppression_.evictions(), suppression_evictions_);
  counters.host_flows_merged += added(host_events_.merged(), host_flows_merged_);
  counters.host_flows_lost += added(host_events_.lost(), host_flows_lost_);
  const Correlator::Counts host = correlator_.counts();
  counters.host_alerts_lost += added(host.alerts_lost, host_counts_.alerts_lost);
  counters.host_evictions += added(host.evictions, host_counts_.evictions);
  if (sinks_.lines_lost) counters.lines_lost += added(sinks_.lines_lost(), lines_lost_);
}

void Pipeline::flush(nids_agent_counters& counters) {
  count(counters);
  if (sinks_.store) sinks_.store->flush(counters);
  warn();
  counters.degraded = degraded();
}

void Pipeline::finish(nids_agent_counters& counters) {
  count(counters);
  if (sinks_.eve) sinks_.eve->finish();
  if (sinks_.store) sinks_.store->finish(counters);
  warn();
  counters.degraded = degraded();
}

void Pipeline::warn() {
  if (!sinks_.store || !sinks_.warning) return;
  for (const std::string& text : sinks_.store->take_warnings()) sinks_.warning(text);
}

std::uint64_t Pipeline::degraded() const {
  const bool eve_is_bad = sinks_.eve_is_missing || (sinks_.eve && sinks_.eve->degraded());
  const bool store_is_bad = sinks_.store_is_missing || (sinks_.store && sinks_.store->degraded());
  const bool export_is_bad =
      sinks_.exporter_is_missing || (sinks_.exporter && sinks_.exporter->error_number() != 0);
  return (eve_is_bad ? NIDS_DEGRADED_EVE : 0u) | (eve_is_stuck_ ? NIDS_DEGRADED_EVE_FILE : 0u) |
         (store_is_bad ? NIDS_DEGRADED_RETAIN : 0u) |
         (sinks_.store && sinks_.store->index_is_lost() ? NIDS_DEGRADED_INDEX : 0u) |
         (export_is_bad ? NIDS_DEGRADED_IPFIX : 0u);
}

}  // namespace nids
