// SPDX-License-Identifier: Apache-2.0
// How much of each flow is kept: nothing before its first alert but what its class says, then what
// the severity of its alerts says. Keeps nothing itself; what it knows of a flow stands in Flow.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "alert/signature.hpp"
#include "decode/packet.hpp"
#include "flow/flow.hpp"
#include "nids/abi/config.h"

namespace nids {

// What is wanted of a flow. The larger one is the one that keeps more.
struct KeptAmount {
  enum class Kind : std::uint8_t { kNothing, kHeaders, kWhole };
  Kind kind = Kind::kNothing;
  std::uint64_t depth_bytes = 0;  // wire bytes that came up, of each direction
  auto operator<=>(const KeptAmount&) const = default;
};

enum class Fate {
  kHold,   // until its flow raises an alert, or for a while
  kKeep,   // now
  kLeave,  // by policy
};

class CapturePolicy {
 public:
  struct Limits {
    std::array<KeptAmount, 4> by_severity{};       // of a flow that raised an alert; index 1 to 3
    std::uint64_t flow_depth_bytes = 16ull << 20;  // of a direction, whatever else is said
    std::vector<nids_class> classes;               // by index; index 0: of no class
  };
  explicit CapturePolicy(Limits limits);

  // Uses these classes from the next packet on. They are by index; there is at least one.
  void use(std::shared_ptr<const std::vector<nids_class>> classes) {
    classes_ = std::move(classes);
  }

  // The alert, be it news or not, is on the flow. Returns whether the first pass must be told: the
  // flow is wanted otherwise than before.
  bool raise(Flow& flow, AlertKind kind, int severity) const;

  struct Verdict {
    Fate fate = Fate::kLeave;
    // A direction has reached its depth, or it came up as if the first pass had not been told.
    bool is_to_be_told = false;
  };
  // Of a packet whose alerts have been raised. Counts it as one that came up. `is_evidence`: an
  // alert names it, so it is kept whatever the depth.
  Verdict judge(const Packet& packet, Flow& flow, bool is_evidence) const;

  // What holds for the flow now.
  KeptAmount amount_of(const Flow& flow) const;

  // For the first pass: NIDS_COMMAND_WORD.
  std::uint8_t word_on(const Flow& flow) const;

 private:
  const nids_class& class_if(const Flow& flow, nids_sender opener) const;
  KeptAmount amount_if(const Flow& flow, nids_sender opener) const;
  std::uint32_t inspected_bytes(const Flow& flow) const;
  bool is_identified(const Flow& flow) const;
  bool is_refused(const Flow& flow) const;
  KeptAmount own_amount(const Flow& flow) const;
  KeptAmount raised_amount(const Flow& flow) const { return limits_.by_severity[flow.kept_as]; }

  Limits limits_;  // without the classes
  std::shared_ptr<const std::vector<nids_class>> classes_;
};

}  // namespace nids
