// SPDX-License-Identifier: Apache-2.0
#include "agent/inline_workers.hpp"

#include <utility>

#include "decode/decode.hpp"
#include "net/flow_key.h"
#include "nids/abi/packed_key.h"
#include "nids/abi/shard.h"

namespace nids {

InlineWorkers::InlineWorkers(const Config& config, std::map<std::uint32_t, std::string> interfaces,
                             Sinks sinks, Selection selection, const Pipeline::Steer& steer,
                             std::size_t workers)
    : outputs_(output_settings(config, std::move(interfaces)), std::move(sinks)),
      correlator_(host_analysers(config), workers, {}),
      quota_(std::move(selection)),
      host_alerts_(correlator_, outputs_, quota_) {
  for (std::size_t number = 0; number < workers; ++number)
    pipelines_.push_back(
        std::make_unique<Pipeline>(pipeline_settings(config, outputs_.keeps_packets(), workers),
                                   number, Pipeline::Shared{outputs_, correlator_, quota_, steer}));
}

void InlineWorkers::watch(FlowTables tables, nids_agent_counters& counters) {
  tables.rings = static_cast<std::uint32_t>(pipelines_.size());
  tables_ = tables;
  outputs_.watch(tables.ifindex, counters);
  for (const auto& one : pipelines_) one->watch(tables, counters);
}

// The first pass of a replay has one ring, so the worker is computed from the flow's set.
std::size_t InlineWorkers::worker_of(std::span<const std::byte> record) {
  if (pipelines_.size() == 1) return 0;
  const auto owner = [&](const nids_flow_key& key, std::uint32_t set) {
    const std::uint32_t sets =
        nids_is_in_table4(&key) ? tables_.sets4_per_cpu : tables_.sets6_per_cpu;
    return nids_ring_of_set(set, sets, tables_.rings);
  };
  FlowIdentity flow;
  switch (decode(record, ClockOffset{}, packet_, exported_flow_)) {
    case DecodeResult::kPacket:
      if ((packet_.headers.flags & NIDS_PACKET_IS_FLOW) == 0) return 0;
      nids_flow_key_of(&packet_.headers, &packet_.detail, &flow.key, &flow.tunnel);
      return owner(flow.key, packet_.slot.set);
    case DecodeResult::kFlowExport:
      return owner(exported_flow_.key, exported_flow_.set);
    case DecodeResult::kInvalid:
      break;
  }
  return 0;
}

void InlineWorkers::record(std::span<const std::byte> bytes, nids_agent_counters& counters) {
  pipelines_[worker_of(bytes)]->record(bytes, ClockOffset{}, counters);
}

void InlineWorkers::scan(const TickClock& clock) {
  for (const auto& one : pipelines_) one->scan(clock);
}

void InlineWorkers::tick(WallTime now) {
  for (const auto& one : pipelines_) one->tick(now);
  host_alerts_.raise();
}

void InlineWorkers::flush(WallTime now) {
  for (const auto& one : pipelines_) one->count();
  host_alerts_.count();
  outputs_.flush(now);
}

void InlineWorkers::end(const TickClock& clock) {
  for (const auto& one : pipelines_) one->end_flows(clock);
  correlator_.finish();  // no batch is refused after it
  host_alerts_.finish(pipelines_);
  outputs_.finish(clock.now);
}

}  // namespace nids
