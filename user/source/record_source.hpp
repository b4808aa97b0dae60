// SPDX-License-Identifier: Apache-2.0
// Records of the ring's layout, made of the frames of a capture file by the first pass in packet
// time: by its native twin, or by a copy of the program in the kernel. Both give the same ones.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "firstpass/first_pass.hpp"
#include "net/flow_identity.hpp"
#include "nids/result.hpp"
#include "source/flow_reader.hpp"

namespace nids {

class RecordSource {
 public:
  using Sink = FirstPass::Sink;
  struct Reading {
    nids_counters counters{};
    nids_sum live_by_scan{};  // what the slots hold, added up anew: the check on counters.live
  };

  virtual ~RecordSource() = default;
  // Returns whether the frame was taken: one that was not is in no counter. An error: no frame can
  // be taken any more.
  [[nodiscard]] virtual Result<bool> packet(const nids_twin_frame& frame) = 0;
  // The agent's word on a flow, NIDS_COMMAND_WORD; returns how many slots it reached.
  virtual std::uint32_t command(const FlowIdentity& flow, nids_slot_address slot,
                                std::uint8_t word) = 0;
  [[nodiscard]] virtual Result<Reading> read() const = 0;
  // Good as long as the source is.
  virtual FlowTables tables() const = 0;
};

struct RecordSourceSetup {
  FirstPass::Setup first_pass;
  std::span<const nids_class> classes;  // NIDS_CLASS_MAX of them
  const nids_port_classes* ports = nullptr;
};

// What is asked for must stand only until it returns; `sink` is called from packet() alone.
[[nodiscard]] std::unique_ptr<RecordSource> source_by_twin(const RecordSourceSetup& setup,
                                                           RecordSource::Sink sink);

// Loads the program, which needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON. The source needs none.
[[nodiscard]] Result<std::unique_ptr<RecordSource>> source_by_kernel(const RecordSourceSetup& setup,
                                                                     RecordSource::Sink sink);

}  // namespace nids
