// SPDX-License-Identifier: Apache-2.0
// A flow as the plain packet that a pcap filter looks at, and which of its bits the flow really
// tells. Nothing here came from a wire.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "net/ends.hpp"

namespace nids {

inline constexpr std::size_t kFlowFrameMaxBytes = 14 + 2 * 4 + 40 + 4;

// Ethernet, up to two 802.1Q tags, an IP header without options, the first fragment, and the ports
// where the protocol has them; what a flow doesn't tell is 0.
struct FlowFrame {
  std::array<std::uint8_t, kFlowFrameMaxBytes> bytes{};
  std::size_t size = 0;
};

FlowFrame flow_frame(const Ends& ends, bool to_server);

// What is known of a byte before there is a flow.
struct FrameByte {
  std::uint8_t value = 0;      // of the other bits: the same in every flow of this layout
  std::uint8_t varying = 0;    // bits that a flow tells
  std::uint8_t untold = 0xff;  // bits that no flow tells
  const char* field = "";      // what `untold` belongs to: "TCP flags"
};

// All flows with as many tags, this IP version and this protocol.
class FrameLayout {
 public:
  FrameLayout(unsigned tags, std::uint8_t ip_version, std::uint8_t l4_proto);
  // Beyond the frame too.
  FrameByte at(std::uint32_t offset) const;

 private:
  FrameByte network(std::uint32_t offset) const;
  FrameByte transport(std::uint32_t offset) const;

  std::uint8_t ip_version_, l4_proto_;
  std::uint32_t network_, transport_;  // where they begin
  FlowFrame sample_;
};

}  // namespace nids
