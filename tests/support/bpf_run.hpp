// SPDX-License-Identifier: Apache-2.0
// The program itself, in the kernel but on no interface: owns one loaded copy with its maps and
// runs frames through it by BPF_PROG_TEST_RUN. Never attaches, pins or leaves anything behind.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernel/maps.hpp"
#include "nids/abi/clock.h"
#include "nids/abi/counters.h"
#include "nids/abi/flow.h"
#include "nids/result.hpp"
#include "support/bpf_object.hpp"
#include "support/class_tables.hpp"
#include "support/packet_builder.hpp"
#include "support/ring_records.hpp"

struct ring_buffer;

namespace nids {

// What a socket buffer has beside its bytes.
struct SkbFacts {
  std::uint32_t gso_segments = 0;
  std::uint32_t gso_segment_len = 0;
  std::uint16_t tag_type = 0;  // 0: no VLAN tag beside the frame
  std::uint16_t tag_tci = 0;
};

class BpfRun {
 public:
  [[nodiscard]] static Result<BpfRun> load(const BpfSetup& setup, const ClassTables& tables);
  BpfRun(BpfRun&&) noexcept;
  BpfRun& operator=(BpfRun&&) noexcept;
  ~BpfRun();

  // The program's return value; an error where the kernel does not take the frame. With `linear`,
  // only so many bytes stand in the buffer's first part (kernel 6.18 and later). More than one
  // thread may do so at once, each on a CPU of its own.
  Result<std::uint32_t> ingress(std::span<const std::byte> frame,
                                std::optional<std::uint32_t> linear = {}) const;
  Result<std::uint32_t> egress(std::span<const std::byte> frame, const SkbFacts& facts = {}) const;
  Result<std::uint32_t> ingress_tc(std::span<const std::byte> frame,
                                   const SkbFacts& facts = {}) const;

  nids_counters counters() const;  // of all CPUs
  nids_counters& counters_of(int cpu) const;
  nids_sum live_by_scan() const;  // what the slots of all CPUs hold
  std::span<nids_flow4_set> flows4() const {
    return {&flows4_[0], info().cpus * info().sets4_per_cpu};
  }
  std::span<nids_flow6_set> flows6() const {
    return {&flows6_[0], info().cpus * info().sets6_per_cpu};
  }
  void drain(RingRecords& records);                    // of all rings
  void drain(std::size_t ring, RingRecords& records);  // of one
  void clear_tables();  // flows, cells, budgets and counters; the rings keep what they have
  // Whether frames are taken to come in more than one buffer, as the agent says or the program
  // sees.
  void set_frames_split(bool are_split) const;
  bool frames_are_split() const;
  void set_clock(const nids_clock& clock) const { *clock_.get() = clock; }  // of packet time

  Maps maps() const { return std::move(*Maps::of_object(object_->get())); }
  const nids_info& info() const { return object_->info(); }
  const BpfObject& object() const { return *object_; }

 private:
  struct FreeRing {
    void operator()(ring_buffer* ring) const noexcept;
  };
  struct Reader;
  struct Tagger;

  BpfRun();
  Result<void> open(const BpfSetup& setup, const ClassTables& tables);
  Result<void> make_tagger();
  Result<std::uint32_t> tc(nids_direction direction, std::span<const std::byte> frame,
                           const SkbFacts& facts) const;

  std::optional<BpfObject> object_;
  MappedArray<nids_counters> counters_;
  MappedArray<nids_flow4_set> flows4_;
  MappedArray<nids_flow6_set> flows6_;
  MappedArray<nids_flow_cell> cells_;
  MappedArray<std::uint64_t> datagrams_;
  Mapped<nids_clock> clock_;
  std::unique_ptr<Tagger> tagger_;
  std::vector<std::unique_ptr<Reader>> readers_;
};

// Keeps the calling thread on one CPU while it lives: a flow is then in one slot.
class OnOneCpu {
 public:
  OnOneCpu();
  explicit OnOneCpu(int cpu);
  ~OnOneCpu();
  OnOneCpu(const OnOneCpu&) = delete;
  OnOneCpu& operator=(const OnOneCpu&) = delete;
  int cpu() const { return cpu_; }
  bool is_there() const;  // false where the machine, or its cpuset, does not have that CPU

 private:
  struct Mask;
  int cpu_;
  std::unique_ptr<Mask> before_;
};

// A test of the program. Skipped without CAP_BPF; with NIDS_REQUIRE_BPF=1 that is a failure.
class BpfTest : public testing::Test {
 protected:
  void load(const BpfSetup& setup, const ClassTables& tables);

  BpfRun& program() { return *program_; }
  int cpu() const { return on_one_cpu_.cpu(); }
  int other_cpu() const { return cpu() == 0 ? 1 : 0; }

  // The ledger balances, and its `live` is what a scan of the slots finds.
  void expect_ledger();

 private:
  OnOneCpu on_one_cpu_;
  std::optional<BpfRun> program_;
};

}  // namespace nids
