// SPDX-License-Identifier: Apache-2.0
// The program in the kernel, on no interface, and packets that BPF_PROG_TEST_RUN sends through it:
// many flows that stay, flows that come and go, and floods that fill the ring.
#pragma once

#include <atomic>
#include <cstdint>

#include "agent/agent.hpp"
#include "config/config.hpp"
#include "kernel/maps.hpp"
#include "kernel/object.hpp"
#include "nids/result.hpp"

namespace nids::bench {

class StallTraffic {
 public:
  [[nodiscard]] static Result<StallTraffic> load(const Config& config, std::uint32_t flows);

  // What run_agent() takes of an interface.
  [[nodiscard]] Result<Watched> watched() const;
  std::uint32_t ifindex() const { return object_.info.ifindex; }

  // A packet of each flow that stays, the same number on each CPU.
  [[nodiscard]] Result<void> make_flows() const;
  // A packet of a flagged flow.
  [[nodiscard]] Result<void> send_flagged(std::uint16_t port, std::uint32_t times) const;
  // Floods the ring, renews flows that stay and makes flows that do not, until `is_over`.
  [[nodiscard]] Result<void> run(const std::atomic<bool>& is_over) const;

 private:
  StallTraffic() = default;
  [[nodiscard]] Result<void> send_staying(std::uint32_t first, std::uint32_t count) const;
  [[nodiscard]] Result<void> send_passing(std::uint32_t first, std::uint32_t count) const;

  Object object_;
  Maps maps_;
  int program_ = -1;  // owned by object_
  std::uint32_t flows_ = 0;
};

}  // namespace nids::bench
