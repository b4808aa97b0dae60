// SPDX-License-Identifier: Apache-2.0
// Is this one packet guilty of something by itself? Says so of each sample that the first pass
// sends up; how many there were, the counters tell.
#pragma once

#include "analyse/analyser.hpp"

namespace nids {

class StatelessFinding final : public Analyser {
 public:
  std::string_view name() const noexcept override { return "stateless_finding"; }
  Wants wants() const noexcept override { return {.packets = true}; }
  void on_packet(const PacketView& view, Context& context) override;
};

}  // namespace nids
