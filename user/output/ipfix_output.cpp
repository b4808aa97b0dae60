// SPDX-License-Identifier: Apache-2.0
#include "output/ipfix_output.hpp"

namespace nids {

void IpfixOutput::on_flow(const FlowRecord& record, WallTime now) {
  const std::lock_guard lock(mutex_);
  exporter_.add(record, now);
}

std::uint64_t IpfixOutput::degraded() const {
  const std::lock_guard lock(mutex_);
  return exporter_.error_number() != 0 ? NIDS_DEGRADED_IPFIX : 0u;
}

void IpfixOutput::flush(WallTime now) {
  const std::lock_guard lock(mutex_);
  exporter_.flush(now);
  const auto blocks = counters_.attached_first();
  if (blocks.empty()) return;
  const UdpExporter::Counts counts = exporter_.counts();
  // A record that was sent may turn out to be lost: the difference may be below 0, and wraps.
  blocks.front()->ipfix_sent += counts.delivered - counted_.delivered;
  blocks.front()->ipfix_lost += counts.lost - counted_.lost;
  counted_ = counts;
}

// The second call learns whether the last message was refused.
void IpfixOutput::finish(WallTime now) {
  flush(now);
  flush(now);
}

bool IpfixOutput::wants_socket() const {
  const std::lock_guard lock(mutex_);
  return exporter_.wants_socket();
}

void IpfixOutput::replace_socket(Fd connected) {
  const std::lock_guard lock(mutex_);
  exporter_.replace_socket(std::move(connected));
}

}  // namespace nids
