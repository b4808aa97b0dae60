// SPDX-License-Identifier: Apache-2.0
// One copy of the BPF object in the kernel, sized and set for a test, with its maps by name. The
// object is the one that the binary carries, or a file that another compiler made. Attaches and
// pins nothing; what it made ends with it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernel/handle.hpp"
#include "nids/abi/event.h"
#include "nids/result.hpp"
#include "support/class_tables.hpp"

struct bpf_map;
struct bpf_object;

namespace nids {

inline constexpr std::uint32_t kDefaultFeatures = NIDS_FEATURES_ALL & ~NIDS_FEATURE_UNCLASSIFIED;

struct BpfSetup {
  std::uint32_t sets4_per_cpu = 64;  // powers of two
  std::uint32_t sets6_per_cpu = 64;
  std::uint32_t features = kDefaultFeatures;
  std::uint32_t rings = 1;
  std::uint32_t ring_bytes = 1 << 20;  // each
  std::uint32_t snap_bytes = NIDS_SNAP_MAX;
  std::uint32_t sample_bytes = 512;
  std::uint32_t ifindex = 7;
  std::uint64_t hash_seed = 42;
  bool is_timeless = false;     // no flow falls idle, and the second of the budgets never ends
  bool is_packet_time = false;  // as a replay's copy: one CPU's tables, and the time that is told
  std::string file{};           // empty: the object in the binary
};

class BpfObject {
 public:
  [[nodiscard]] static Result<BpfObject> load(const BpfSetup& setup, const ClassTables& tables);
  BpfObject(BpfObject&&) noexcept = default;
  BpfObject& operator=(BpfObject&&) noexcept = default;

  int ingress() const { return program(is_packet_time_ ? "nids_replay" : "nids_ingress"); }
  int egress() const { return program("nids_egress"); }
  int ingress_tc() const { return program("nids_ingress_tc"); }
  int map(const char* name) const;
  std::size_t value_bytes(const char* map) const;
  std::span<const Fd> rings() const { return rings_; }
  const bpf_object* get() const { return object_.get(); }
  const nids_info& info() const { return info_; }

 private:
  struct Close {
    void operator()(bpf_object* object) const noexcept;
  };

  BpfObject() = default;
  Result<void> open(const BpfSetup& setup);
  Result<void> set(const BpfSetup& setup);
  Result<void> make_rings(const BpfSetup& setup);
  Result<void> fill(const ClassTables& tables, const BpfSetup& setup);
  bpf_map* map_to_set(const char* name) const;
  template <class T>
  void set_constant(const char* name, const T& value);
  int program(const char* name) const;

  std::unique_ptr<bpf_object, Close> object_;
  std::vector<Fd> rings_;
  Fd outer_ring_;
  nids_info info_{};
  bool is_packet_time_ = false;
};

}  // namespace nids
