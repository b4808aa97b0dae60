// SPDX-License-Identifier: Apache-2.0
// A copy of the ingress program of its own, in packet time, loaded but on no interface: frames are
// run through it by BPF_PROG_TEST_RUN. Attaches and pins nothing; what it made ends with it.
#pragma once

#include <cstddef>
#include <span>

#include "kernel/flow_maps.hpp"
#include "kernel/maps.hpp"
#include "kernel/object.hpp"
#include "kernel/ring.hpp"
#include "nids/abi/clock.h"
#include "nids/result.hpp"

namespace nids {

class TestRun {
 public:
  // `setup.packet_time` must be there. Loading needs privileges, all else none.
  [[nodiscard]] static Result<TestRun> load(const ProgramSetup& setup, RingReader::Sink sink);

  // Runs the program over the frame that stands NIDS_CLOCK_LEAD bytes into the buffer, and hands
  // its records to the sink. Returns whether the kernel took the frame; one that it did not take is
  // in no counter.
  [[nodiscard]] Result<bool> frame(const nids_clock& clock, std::span<const std::byte> buffer);

  const FlowMaps& flow_maps() const { return flow_maps_; }
  [[nodiscard]] Result<nids_counters> counters() const;
  [[nodiscard]] Result<nids_sum> live_by_scan() const;

 private:
  Object object_;
  Maps maps_;
  int program_ = -1;  // owned by object_
  Mapped<nids_clock> clock_;
  FlowMaps flow_maps_;
  RingReader ring_;
};

}  // namespace nids
