// SPDX-License-Identifier: Apache-2.0
// A compiled pcap filter, asked of packets as a capture program would ask it. Parses no expression:
// the command compiles it, for the link type of the packets.
#pragma once

#include <memory>
#include <span>

#include "decode/packet.hpp"
#include "flow/flow_filter.hpp"
#include "nids/result.hpp"

namespace nids {

class PacketFilter {
 public:
  // Refuses what is no valid program. It may loop, as `protochain` does: libpcap's loops go forward
  // in the packet, by 8 bytes at least. So the program has to come from libpcap, in this process.
  static Result<PacketFilter> of(std::span<const FilterInstruction> instructions);

  // By the captured bytes and the frame's length. What asks for a byte that was not captured does
  // not match, be it negated or not. In a tunnel the outer headers are meant.
  bool matches(const Packet& packet) const;

 private:
  struct Program;
  explicit PacketFilter(std::shared_ptr<const Program> program) : program_(std::move(program)) {}
  std::shared_ptr<const Program> program_;
};

}  // namespace nids
