// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "kernel/test_run.hpp"
#include "source/record_source.hpp"

namespace nids {
namespace {

// Bytes of a frame that stand in the first part of TEST_RUN's buffer, where the program reads
// headers: it is a page less about 580 bytes of the kernel's own, and our lead.
constexpr std::uint32_t kReach = 3'072;

// What one packet may bring: its own record and that of the flow it replaces.
constexpr std::uint64_t kRingBytes = 256 << 10;
static_assert(kRingBytes > 2 * (sizeof(nids_packet_event) + NIDS_SNAP_MAX));

// Whether the program reads of the frame all that its twin does. Only chains of many long IPv6
// extension headers go further.
bool headers_are_in_reach(const nids_twin_frame& frame) {
  if (frame.captured_len <= kReach) return true;
  nids_twin_frame cut = frame;
  cut.captured_len = kReach;
  nids_packet all, in_reach;
  nids_twin_parse(&frame, &all);
  nids_twin_parse(&cut, &in_reach);
  return std::memcmp(&all, &in_reach, sizeof(all)) == 0;
}

class KernelSource final : public RecordSource {
 public:
  KernelSource(TestRun program, std::uint32_t snap_bytes)
      : program_(std::move(program)),
        needed_(std::max(kReach, std::min(snap_bytes, NIDS_SNAP_MAX))),
        buffer_(NIDS_CLOCK_LEAD + needed_) {}

  Result<bool> packet(const nids_twin_frame& frame) override {
    if (frame.l3_offset > NIDS_CLOCK_LINK_MAX || !headers_are_in_reach(frame)) return false;
    // The rest the program would not look at.
    const std::size_t given = std::min(frame.captured_len, needed_);
    std::copy_n(static_cast<const std::byte*>(frame.bytes), given,
                buffer_.begin() + NIDS_CLOCK_LEAD);
    nids_clock clock{};
    clock.now_ns = frame.time_ns;
    clock.wire_len = frame.wire_len;
    clock.l3_offset = frame.l3_offset;
    clock.ether_type = frame.ether_type;
    clock.is_ethernet = frame.is_ethernet;
    auto taken = program_.frame(clock, std::span(buffer_).first(NIDS_CLOCK_LEAD + given));
    taken_ += taken && *taken;
    return taken;
  }

  Result<Reading> read() const override {
    auto counters = program_.counters();
    if (!counters) return counters.error();
    auto live = program_.live_by_scan();
    if (!live) return live.error();
    if (counters->finished != taken_)
      return Error{.action = "account for all packets",
                   .reason = "the program in the kernel counted " +
                             std::to_string(counters->finished) + " of " + std::to_string(taken_)};
    return Reading{.counters = *counters, .live_by_scan = *live};
  }

 private:
  TestRun program_;
  std::uint32_t needed_;           // bytes of a frame that the program may look at
  std::vector<std::byte> buffer_;  // the lead, then the frame
  std::uint64_t taken_ = 0;
};

}  // namespace

Result<std::unique_ptr<RecordSource>> source_by_kernel(const RecordSourceSetup& setup,
                                                       RecordSource::Sink sink) {
  auto program = TestRun::load({.slots_per_cpu = setup.first_pass.slots,
                                .ring_bytes = kRingBytes,
                                .snap_bytes = setup.first_pass.snap_bytes,
                                .classes = setup.classes,
                                .ports = setup.ports,
                                .packet_time_seed = setup.first_pass.hash_seed},
                               std::move(sink));
  if (!program) return program.error();
  return std::unique_ptr<RecordSource>(
      std::make_unique<KernelSource>(std::move(*program), setup.first_pass.snap_bytes));
}

}  // namespace nids
