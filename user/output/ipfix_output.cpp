// SPDX-License-Identifier: Apache-2.0
#include "output/ipfix_output.hpp"

namespace nids {

namespace {
constexpr std::uint64_t kSecond_ns = 1'000'000'000;
}

// Threads read the clock at different moments. Time that goes back by less than a second does not
// go back; templates would be sent again.
WallTime IpfixOutput::steady(WallTime now) {
  const bool is_back = now < latest_ && latest_.ns - now.ns < kSecond_ns;
  if (!is_back) latest_ = now;
  return latest_;
}

void IpfixOutput::on_flow(const FlowRecord& record, WallTime now) {
  const std::lock_guard lock(mutex_);
  exporter_.add(record, steady(now));
}

std::uint64_t IpfixOutput::degraded() const {
  const std::lock_guard lock(mutex_);
  return exporter_.error_number() != 0 ? NIDS_DEGRADED_IPFIX : 0u;
}

// Once a second: more often would make more and smaller messages.
void IpfixOutput::flush(WallTime now) {
  const std::lock_guard lock(mutex_);
  now = steady(now);
  if (now >= flushed_ && now.ns - flushed_.ns < kSecond_ns) return;
  flushed_ = now;
  send_and_count(now);
}

void IpfixOutput::send_and_count(WallTime now) {
  exporter_.flush(now);
  const auto blocks = counters_.attached_first();
  if (blocks.empty()) return;
  const UdpExporter::Counts counts = exporter_.counts();
  // A record that was sent may turn out to be lost: the difference may be below 0, and wraps.
  blocks.front()->ipfix_sent += counts.delivered - counted_.delivered;
  blocks.front()->ipfix_lost += counts.lost - counted_.lost;
  counted_ = counts;
}

// The second time shows whether the last message was refused.
void IpfixOutput::finish(WallTime now) {
  const std::lock_guard lock(mutex_);
  now = steady(now);
  send_and_count(now);
  send_and_count(now);
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
