// SPDX-License-Identifier: Apache-2.0
// Packet retention as an output: stores packets, and indexes alerts with and without a packet. The
// store has its own locks, limits what waits for the disk, and counts what it refuses.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "output/output.hpp"
#include "output/output_counters.hpp"
#include "retain/store.hpp"

namespace nids {

class RetainOutput final : public Output {
 public:
  // `counters` must outlive this.
  RetainOutput(Store store, const OutputCounters& counters)
      : store_(std::move(store)), counters_(counters) {}

  std::optional<Evidence> on_packet(const StoredPacket& stored) override;
  void on_alert(const AlertRecord& record) override;
  std::uint64_t degraded() const override;
  void flush(WallTime now) override;
  void finish(WallTime now) override;

  std::vector<std::string> take_warnings();  // what failed, each failure once; for people

 private:
  Store store_;
  const OutputCounters& counters_;
};

}  // namespace nids
