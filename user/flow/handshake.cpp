// SPDX-License-Identifier: Apache-2.0
#include "flow/handshake.hpp"

namespace nids {
namespace {

constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kAck = 0x10;

}  // namespace

void Handshake::add(nids_sender sender, std::uint8_t tcp_flags,
                    const std::optional<Numbers>& numbers) {
  switch (tcp_flags & (kFin | kSyn | kRst | kAck)) {
    case kSyn:
      syn_ |= static_cast<std::uint8_t>(1u << sender);
      named_ |= static_cast<std::uint8_t>(1u << sender);
      syn_sequence_[sender] = std::nullopt;
      if (numbers) syn_sequence_[sender] = numbers->sequence;
      break;
    case kSyn | kAck: {
      const int opener = 1 - sender;
      named_ |= static_cast<std::uint8_t>(1u << opener);
      if (numbers && syn_sequence_[opener] &&
          numbers->acknowledgement == *syn_sequence_[opener] + 1)
        proved_ |= static_cast<std::uint8_t>(1u << opener);
      break;
    }
    default:
      break;
  }
}

}  // namespace nids
