// SPDX-License-Identifier: Apache-2.0
#include "flow/handshake.hpp"

#include "net/tcp_flags.hpp"

namespace nids {
void Handshake::add(nids_sender sender, std::uint8_t tcp_flags,
                    const std::optional<Numbers>& numbers) {
  switch (tcp_flags & (kTcpFin | kTcpSyn | kTcpRst | kTcpAck)) {
    case kTcpSyn:
      syn_ |= static_cast<std::uint8_t>(1u << sender);
      named_ |= static_cast<std::uint8_t>(1u << sender);
      syn_sequence_[sender] = std::nullopt;
      if (numbers) syn_sequence_[sender] = numbers->sequence;
      prove(sender);
      break;
    case kTcpSyn | kTcpAck: {
      const int opener = 1 - sender;
      named_ |= static_cast<std::uint8_t>(1u << opener);
      acknowledged_[opener] = std::nullopt;
      if (numbers) acknowledged_[opener] = numbers->acknowledgement;
      prove(opener);
      break;
    }
    default:
      break;
  }
}

void Handshake::prove(int opener) {
  const auto& sequence = syn_sequence_[opener];
  const auto& acknowledged = acknowledged_[opener];
  if (sequence && acknowledged && *acknowledged == *sequence + 1)
    proved_ |= static_cast<std::uint8_t>(1u << opener);
}

}  // namespace nids
