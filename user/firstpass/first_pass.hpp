// SPDX-License-Identifier: Apache-2.0
// The first pass over frames of this process, without the kernel: owns the twin's tables, knows
// nothing of files or configuration.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "firstpass/twin.h"

namespace nids {

// The hash keys that a seed stands for: for replays and tests, where nobody attacks the table and
// the same input must give the same output.
std::array<std::uint64_t, NIDS_HASH_KEYS> hash_keys_of(std::uint64_t seed);

class FirstPass {
 public:
  struct Setup {
    std::uint32_t slots = 65'536;       // IPv4; a power of two, at least NIDS_WAYS
    std::uint32_t slots_ipv6 = 65'536;  // likewise
    std::uint32_t features = NIDS_FEATURES_ALL;
    std::uint32_t snap_bytes = NIDS_SNAP_MAX;
    std::uint32_t sample_bytes = 512;  // of packets that are identified, and of samples
    // At most one sample of a finding from one sender in this time; 0: no such limit.
    std::chrono::seconds sample_window{60};
    std::uint32_t tick_ns = 1'000'000;
    std::uint32_t rings = 1;  // for nids_twin::ring; at most the sets of each table
    std::uint64_t hash_seed = 0;
  };
  // Takes records in the ring's layout, valid during the call only.
  using Sink = std::function<void(std::span<const std::byte>)>;

  FirstPass(const Setup& setup, std::span<const nids_class> classes, const nids_port_classes& ports,
            Sink sink);

  FirstPass(const FirstPass&) = delete;  // the twin points at what is here
  FirstPass& operator=(const FirstPass&) = delete;

  void packet(const nids_twin_frame& frame) { nids_twin_packet(twin_.get(), &frame); }
  const nids_counters& counters() const { return twin_->counters; }
  // For who reads its tables.
  nids_twin& twin() const { return *twin_; }
  // What the slots hold, added up anew: the check on counters().live.
  nids_sum live_by_scan() const;
  // The agent's word on a flow, NIDS_COMMAND_WORD; returns how many slots it reached.
  std::uint32_t command(const nids_flow_key& key, const nids_flow_tunnel& tunnel, std::uint32_t set,
                        std::uint8_t word) {
    return nids_twin_command(twin_.get(), &key, &tunnel, set, word);
  }

 private:
  std::vector<nids_flow4_set> sets4_;
  std::vector<nids_flow6_set> sets6_;
  std::vector<nids_flow_cell> cells_;
  std::vector<__u64> datagrams_;
  Sink sink_;
  std::unique_ptr<nids_twin> twin_;  // heap-held: about 0.2 MiB
};

}  // namespace nids
