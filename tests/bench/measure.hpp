// SPDX-License-Identifier: Apache-2.0
// Runs programs by BPF_PROG_TEST_RUN, in turn within each run, and keeps the kernel's own time.
// Chooses neither programs nor packets.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "nids/result.hpp"
#include "reference.hpp"
#include "series.hpp"
#include "support/packet_builder.hpp"

namespace nids::bench {

// One program of a case.
struct Lane {
  std::string_view name;
  int program = -1;
  const Bytes* frame = nullptr;
  std::function<Counted()> counted{};   // of this program, or of it and others not running
  std::function<void()> after_batch{};  // outside the measured time
};

// A sample is the mean of its batches.
struct Plan {
  std::uint32_t samples = 0;  // of each program
  std::uint32_t batches = 0;
  std::uint32_t packets_per_batch = 0;

  std::uint64_t packets() const { return std::uint64_t{samples} * batches * packets_per_batch; }
};

// Which flow each packet belongs to.
enum class Pick { kFrame, kRandom, kNext };  // as the frame says; drawn; one new after another

[[nodiscard]] Result<std::vector<Series>> measure(Reference& reference, Pick pick,
                                                  const std::vector<Lane>& lanes, const Plan& plan);

// Runs the lane over so many flows in their order, unmeasured.
[[nodiscard]] Result<void> warm_up(Reference& reference, const Lane& lane, std::uint64_t flows,
                                   std::uint32_t packets_per_batch);

}  // namespace nids::bench
