// SPDX-License-Identifier: Apache-2.0
#include "output/retain_output.hpp"

#include <utility>

#include "output/kept_alert.hpp"

namespace nids {

std::optional<Evidence> RetainOutput::on_packet(const StoredPacket& stored) {
  Store::Facts facts{.worker = stored.worker,
                     .severity = stored.severity,
                     .flow_id = stored.flow_id,
                     .is_related = (stored.packet.headers.flags & NIDS_PACKET_IS_RELATED) != 0,
                     .alerts = {},
                     .flow = stored.flow};
  for (const RaisedAlert& one : stored.alerts)
    facts.alerts.push_back(kept_alert(one.alert, *one.eve, stored.flow_now));
  const auto place = store_.keep(stored.packet, std::move(facts), stored.counters);
  if (!place || stored.alerts.empty()) return std::nullopt;
  return Evidence{store_.file_of(*place), place->number};
}

void RetainOutput::on_alert(const AlertRecord& record) {
  if (record.was_stored_with_packet) return;
  const RaisedAlert& raised = record.raised;
  nids_agent_counters* counters = counters_.of(raised.alert.ifindex);
  if (!counters) return;
  store_.note({kept_alert(raised.alert, *raised.eve, record.flow_now)}, *counters);
}

std::uint64_t RetainOutput::degraded() const {
  return (store_.degraded() ? NIDS_DEGRADED_RETAIN : 0u) |
         (store_.index_is_lost() ? NIDS_DEGRADED_INDEX : 0u);
}

void RetainOutput::flush(WallTime) {
  for (nids_agent_counters* counters : counters_.attached_first()) {
    store_.flush(*counters);
  }
}

void RetainOutput::finish(WallTime) {
  for (nids_agent_counters* counters : counters_.attached_first()) {
    store_.finish(*counters);
  }
}

std::vector<std::string> RetainOutput::take_warnings() { return store_.take_warnings(); }

}  // namespace nids
