// SPDX-License-Identifier: Apache-2.0
// The BPF object, opened and sized for one interface but not loaded: attaching loads it, and of its
// programs those that are chosen (bpf_program__set_autoload), which none is yet.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernel/handle.hpp"
#include "nids/abi/event.h"
#include "nids/result.hpp"

struct nids_bpf;

namespace nids {

// The secret keys of the flow hash. All programs that an agent loads share them, so that a flow has
// the same set on each interface.
using HashKeys = std::array<std::uint64_t, NIDS_HASH_KEYS>;
[[nodiscard]] Result<HashKeys> random_hash_keys();

// What an interface's programs are loaded with; or, in packet time, a replay's copy of the ingress
// program, with the tables of one CPU.
struct ProgramSetup {
  std::uint32_t slots_per_cpu = 65'536;       // IPv4; a power of two, at least NIDS_WAYS
  std::uint32_t ipv6_slots_per_cpu = 65'536;  // likewise
  std::uint32_t rings = 1;                    // at most NIDS_RINGS_MAX
  std::uint64_t ring_bytes = 8ull << 20;      // each; a power of two, whole pages
  std::uint32_t snap_bytes = NIDS_SNAP_MAX;
  std::uint32_t sample_bytes = 512;
  // At most one sample of a finding from one sender in this time; 0: no such limit.
  std::chrono::seconds sample_window{60};
  std::uint32_t features = NIDS_FEATURES_ALL;
  std::span<const nids_class> classes;  // NIDS_CLASS_MAX of them
  const nids_port_classes* ports = nullptr;
  std::optional<HashKeys> hash_keys{};  // none: random
  struct PacketTime {
    std::uint32_t tick_ns = 1'000'000;
  };
  std::optional<PacketTime> packet_time{};  // of such a copy
};

struct SkeletonDeleter {
  void operator()(nids_bpf* skeleton) const noexcept;
};

struct Object {
  std::unique_ptr<nids_bpf, SkeletonDeleter> skeleton;
  // Filled before the program runs, so that the first packet is classified: the object uses these
  // and makes none of its own.
  Fd classes, ports, keys, info_map, ring_map;
  std::vector<Fd> rings;
  nids_info info{};
};

[[nodiscard]] Result<Object> open_object(int ifindex, const std::string& ifname,
                                         const ProgramSetup& setup);

}  // namespace nids
