// SPDX-License-Identifier: Apache-2.0
// The first pass over frames of this process, without the kernel: owns the twin's tables, knows
// nothing of files or configuration.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "firstpass/twin.h"

namespace nids {

class FirstPass {
 public:
  struct Setup {
    std::uint32_t slots = 65'536;  // a power of two, at least NIDS_WAYS
    std::uint32_t snap_bytes = NIDS_SNAP_MAX;
    std::uint64_t hash_seed = 0;
  };
  // Takes records in the ring's layout, valid during the call only.
  using Sink = std::function<void(std::span<const std::byte>)>;

  FirstPass(const Setup& setup, std::span<const nids_class> classes, const nids_port_classes& ports,
            Sink sink);

  FirstPass(const FirstPass&) = delete;  // the twin points at sink_ and sets_
  FirstPass& operator=(const FirstPass&) = delete;

  void packet(const nids_twin_frame& frame) { nids_twin_packet(twin_.get(), &frame); }
  const nids_counters& counters() const { return twin_->counters; }
  // What the slots hold, added up anew: the check on counters().live.
  nids_sum live_by_scan() const;

 private:
  std::vector<nids_flow_set> sets_;
  Sink sink_;
  std::unique_ptr<nids_twin> twin_;  // heap-held: about 0.7 MiB
};

}  // namespace nids
