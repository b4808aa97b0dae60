// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "kernel/test_run.hpp"
#include "source/flow_commands.hpp"
#include "source/live_tables.hpp"
#include "source/record_source.hpp"

namespace nids {
namespace {

// What one packet may bring: its own record and that of the flow it replaces.
constexpr std::uint64_t kRingBytes = 256 << 10;
static_assert(kRingBytes >
              2 * (sizeof(nids_packet_event) + sizeof(nids_packet_detail) + NIDS_SNAP_MAX));

class KernelSource final : public RecordSource {
 public:
  explicit KernelSource(TestRun program)
      : program_(std::move(program)), commands_(tables_of(program_.flow_maps())) {}

  Result<bool> packet(const nids_twin_frame& frame) override {
    if (frame.l3_offset > NIDS_CLOCK_LINK_MAX) return false;
    // TEST_RUN takes little more; no chain of headers is as long, and no record holds more.
    const std::size_t given = std::min(frame.captured_len, NIDS_SNAP_MAX);
    buffer_.resize(NIDS_CLOCK_LEAD + given);
    std::copy_n(static_cast<const std::byte*>(frame.bytes), given,
                buffer_.begin() + NIDS_CLOCK_LEAD);
    nids_clock clock{};
    clock.now_ns = frame.time_ns;
    clock.wire_len = frame.wire_len;
    clock.l3_offset = frame.l3_offset;
    clock.ether_type = frame.ether_type;
    clock.is_ethernet = frame.is_ethernet;
    auto taken = program_.frame(clock, buffer_);
    taken_ += taken && *taken;
    return taken;
  }

  std::uint32_t command(const FlowIdentity& flow, nids_slot_address slot,
                        std::uint8_t word) override {
    return commands_.give(flow, slot, word);
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
  FlowTables tables() const override { return tables_of(program_.flow_maps()); }

 private:
  TestRun program_;
  FlowCommands commands_;          // into its tables
  std::vector<std::byte> buffer_;  // the lead, then the frame
  std::uint64_t taken_ = 0;
};

}  // namespace

Result<std::unique_ptr<RecordSource>> source_by_kernel(const RecordSourceSetup& setup,
                                                       RecordSource::Sink sink) {
  const FirstPass::Setup& same = setup.first_pass;
  auto program = TestRun::load({.slots_per_cpu = same.slots,
                                .ipv6_slots_per_cpu = same.slots_ipv6,
                                .ring_bytes = kRingBytes,
                                .snap_bytes = same.snap_bytes,
                                .sample_bytes = same.sample_bytes,
                                .sample_window = same.sample_window,
                                .features = same.features,
                                .classes = setup.classes,
                                .ports = setup.ports,
                                .hash_keys = hash_keys_of(same.hash_seed),
                                .packet_time = {{.tick_ns = same.tick_ns}}},
                               std::move(sink));
  if (!program) return program.error();
  return std::unique_ptr<RecordSource>(std::make_unique<KernelSource>(std::move(*program)));
}

}  // namespace nids
