// SPDX-License-Identifier: Apache-2.0
// IPFIX as an output: flow records to one collector. UDP never waits; a record that the kernel or
// the collector's host refuses is lost and counted (ipfix_lost).
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>

#include "export/udp_exporter.hpp"
#include "output/output.hpp"
#include "output/output_counters.hpp"

namespace nids {

class IpfixOutput final : public Output {
 public:
  // `counters` must outlive this.
  IpfixOutput(UdpExporter exporter, const OutputCounters& counters)
      : exporter_(std::move(exporter)), counters_(counters) {}

  void on_flow(const FlowRecord& record, WallTime now) override;
  std::uint64_t degraded() const override;
  void flush(WallTime now) override;
  void finish(WallTime now) override;

  bool wants_socket() const;
  void replace_socket(Fd connected);

 private:
  WallTime steady(WallTime now);
  void send_and_count(WallTime now);

  mutable std::mutex mutex_;
  WallTime latest_, flushed_;
  UdpExporter exporter_;
  UdpExporter::Counts counted_;
  const OutputCounters& counters_;
};

}  // namespace nids
