// SPDX-License-Identifier: Apache-2.0
#include "output/outputs.hpp"

#include <algorithm>
#include <utility>

namespace nids {

// An alert goes to the store first and to the terminal last.
Outputs::Outputs(Settings settings, Sinks sinks)
    : names_(std::move(settings.names)),
      changes_(settings.max_changes),
      suppression_(settings.suppression),
      store_is_missing_(sinks.store_is_missing),
      exporter_is_missing_(sinks.exporter_is_missing),
      warning_(std::move(sinks.warning)) {
  if (sinks.store) retain_ = add<RetainOutput>(std::move(*sinks.store), counters_);
  if (sinks.eve)
    eve_ = add<EveOutput>(std::move(*sinks.eve), settings.eve_has_flows, names_, counters_);
  if (sinks.exporter) ipfix_ = add<IpfixOutput>(std::move(*sinks.exporter), counters_);
  if (sinks.on_alert || sinks.lines_lost)
    add<ConsoleOutput>(std::move(sinks.on_alert), std::move(sinks.lines_lost), counters_);
}

void Outputs::watch(std::uint32_t ifindex, nids_agent_counters& counters) {
  counters_.add(ifindex, counters);
}

bool Outputs::is_news(const Alert& alert) {
  const std::lock_guard lock(suppression_mutex_);
  return suppression_.admit(alert);
}

RaisedAlert Outputs::render(Alert alert) const {
  if (alert.interface.empty()) alert.interface = names_.interface(alert.ifindex);
  std::optional<EveAlert> eve;
  if (eve_ || retain_) eve.emplace(alert);
  return {std::move(alert), std::move(eve)};
}

void Outputs::raise(Alert alert, nids_agent_counters& counters) {
  if (!is_news(alert)) {
    counters.alerts_suppressed += 1;
    return;
  }
  alert.interface = names_.link(alert.ifindex);
  const RaisedAlert raised = render(std::move(alert));
  this->alert({.raised = raised}, counters);
}

void Outputs::alert(const AlertRecord& record, nids_agent_counters& counters) {
  counters.alerts_by_severity[std::clamp(record.raised.alert.severity, 1, 3)] += 1;
  for (const auto& output : outputs_) output->on_alert(record);
}

void Outputs::flow(const FlowRecord& record, WallTime now) {
  for (const auto& output : outputs_) output->on_flow(record, now);
}

void Outputs::flush(WallTime now) {
  for (const auto& output : outputs_) output->flush(now);
  count();
}

void Outputs::finish(WallTime now) {
  // The store is last, because a disk may take for ever.
  for (auto output = outputs_.rbegin(); output != outputs_.rend(); ++output) (*output)->finish(now);
  count();
}

void Outputs::count() {
  if (retain_ && warning_)
    for (const std::string& text : retain_->take_warnings()) warning_(text);
  const auto blocks = counters_.attached_first();
  if (blocks.empty()) return;
  {
    const std::lock_guard lock(suppression_mutex_);
    const std::uint64_t evictions = suppression_.evictions();
    blocks.front()->suppressions_evicted +=
        evictions - std::exchange(suppression_evictions_, evictions);
  }
  const std::uint64_t flags = degraded();
  for (nids_agent_counters* block : blocks) block->degraded = flags;
}

std::uint64_t Outputs::degraded() const {
  std::uint64_t flags = (store_is_missing_ ? NIDS_DEGRADED_RETAIN : 0u) |
                        (exporter_is_missing_ ? NIDS_DEGRADED_IPFIX : 0u);
  for (const auto& output : outputs_) flags |= output->degraded();
  return flags;
}

}  // namespace nids
