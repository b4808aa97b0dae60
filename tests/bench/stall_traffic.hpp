// SPDX-License-Identifier: Apache-2.0
// Loads the program into the kernel, but attaches it to no interface. BPF_PROG_TEST_RUN sends the
// packets: many flows that stay, flows that come and go, and floods that fill the ring.
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

  // Returns the interface as run_agent() takes it.
  [[nodiscard]] Result<Watched> watched() const;
  std::uint32_t ifindex() const { return object_.info.ifindex; }

  // Sends a packet of each flow that stays: the same number of flows on each CPU.
  [[nodiscard]] Result<void> make_flows() const;
  // Sends a packet of a flagged flow, `times` times.
  [[nodiscard]] Result<void> send_flagged(std::uint16_t port, std::uint32_t times) const;
  // Until `is_over`: floods the ring, sends packets of flows that stay, and makes flows that end.
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
