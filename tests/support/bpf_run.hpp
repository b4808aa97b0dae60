// SPDX-License-Identifier: Apache-2.0
// The program itself, in the kernel but on no interface: owns one loaded copy with its maps and
// runs frames through it by BPF_PROG_TEST_RUN. Never attaches, pins or leaves anything behind.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "nids/abi/counters.h"
#include "nids/abi/flow.h"
#include "nids/result.hpp"
#include "support/class_tables.hpp"
#include "support/packet_builder.hpp"
#include "support/ring_records.hpp"

struct nids_bpf;
struct ring_buffer;

namespace nids {

struct BpfSetup {
  std::uint32_t sets_per_cpu = 64;  // a power of two
  std::uint32_t ring_bytes = 1 << 20;
  std::uint32_t snap_bytes = NIDS_SNAP_MAX;
  std::uint32_t ifindex = 7;
  std::uint64_t hash_seed = 42;
};

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
  // only so many bytes stand in the buffer's first part (kernel 6.18 and later).
  Result<std::uint32_t> ingress(std::span<const std::byte> frame,
                                std::optional<std::uint32_t> linear = {});
  Result<std::uint32_t> egress(std::span<const std::byte> frame, const SkbFacts& facts = {});

  nids_counters counters() const;  // of all CPUs
  const nids_counters& counters_of(int cpu) const;
  nids_sum live_by_scan() const;  // what the slots of all CPUs hold
  void drain(RingRecords& records);
  void clear_tables();  // flows, openers and counters; the ring keeps what it has

 private:
  template <class T>
  using Owned = std::unique_ptr<T, void (*)(T*)>;
  struct Fd;
  struct Mapping;
  struct Tagger;

  BpfRun();
  Result<void> open(const BpfSetup& setup, const ClassTables& tables);
  Result<void> make_tagger();

  Owned<nids_bpf> skeleton_;
  std::unique_ptr<Mapping> counters_;
  std::unique_ptr<Mapping> flows_;
  std::unique_ptr<Tagger> tagger_;
  std::unique_ptr<std::function<void(std::span<const std::byte>)>>
      sink_;  // libbpf keeps its address
  Owned<ring_buffer> ring_;
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

 private:
  OnOneCpu on_one_cpu_;
  std::optional<BpfRun> program_;
};

}  // namespace nids
