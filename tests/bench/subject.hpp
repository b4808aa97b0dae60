// SPDX-License-Identifier: Apache-2.0
// The program that is measured, nids_ingress, loaded at a size but on no interface. The one file of
// the benchmark's loader that knows its maps and settings.
#pragma once

#include <cstdint>
#include <memory>

#include "counted.hpp"
#include "kernel/handle.hpp"
#include "nids/result.hpp"

struct nids_bpf;
struct ring_buffer;

namespace nids::bench {

inline constexpr std::uint16_t kFlaggedPort = 22;  // TCP: its class goes up, whole and for ever
inline constexpr std::uint32_t kDefaultSlots = 65'536;

struct SubjectSize {
  std::uint32_t slots_per_cpu = kDefaultSlots;  // a power of two
  std::uint32_t ring_bytes = 8 << 20;           // the product's default
  std::uint32_t snap_bytes = 128;
};

class Subject {
 public:
  [[nodiscard]] static Result<Subject> load(const SubjectSize& size);

  int program() const;
  int ring() const;
  Counted counted(std::uint32_t cpu) const;
  void drain();  // from the calling thread; not while another consumes

 private:
  struct Unload {
    void operator()(nids_bpf* skeleton) const noexcept;
    void operator()(ring_buffer* ring) const noexcept;
  };
  Subject() = default;

  std::unique_ptr<nids_bpf, Unload> skeleton_;
  std::unique_ptr<ring_buffer, Unload> ring_;
};

}  // namespace nids::bench
