// SPDX-License-Identifier: Apache-2.0
#include "analyse/packet_filter.hpp"

#include <pcap/bpf.h>

#include <vector>

namespace nids {

struct PacketFilter::Program {
  std::vector<bpf_insn> instructions;
};

Result<PacketFilter> PacketFilter::of(std::span<const FilterInstruction> instructions) {
  auto program = std::make_shared<Program>();
  for (const FilterInstruction& one : instructions)
    program->instructions.push_back({one.code, one.jump_true, one.jump_false, one.k});
  if (bpf_validate(program->instructions.data(), static_cast<int>(instructions.size())) == 0)
    return Error{.action = "filter packets", .reason = "the filter is no valid program"};
  return PacketFilter(std::move(program));
}

bool PacketFilter::matches(const Packet& packet) const {
  return bpf_filter(program_->instructions.data(),
                    reinterpret_cast<const unsigned char*>(packet.bytes.data()), packet.frame_len,
                    static_cast<unsigned>(packet.bytes.size())) != 0;
}

}  // namespace nids
