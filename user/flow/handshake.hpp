// SPDX-License-Identifier: Apache-2.0
// Evidence of who opened a TCP connection, from the packets that reached the agent. Any packet may
// be forged, so a SYN or SYN-ACK only names an opener. A SYN-ACK that acknowledges the opener's SYN
// is a proof (RFC 9293 section 3.5), because its sender has read that SYN. The SYN and the SYN-ACK
// may come in either order, because the directions of a link have rings of their own. Decides
// nothing.
#pragma once

#include <cstdint>
#include <optional>

#include "nids/abi/flow.h"

namespace nids {

class Handshake {
 public:
  struct Numbers {
    std::uint32_t sequence = 0, acknowledgement = 0;
  };
  // Adds a packet of `sender`, by its header. Without numbers, which may not have been captured, it
  // names an opener and proves nothing.
  void add(nids_sender sender, std::uint8_t tcp_flags, const std::optional<Numbers>& numbers);

  bool has_syn(nids_sender opener) const { return (syn_ >> opener & 1) != 0; }
  // Whether `opener` sent a SYN or was sent a SYN-ACK.
  bool names(nids_sender opener) const { return (named_ >> opener & 1) != 0; }
  bool proves(nids_sender opener) const { return (proved_ >> opener & 1) != 0; }

 private:
  void prove(int opener);

  // By enum nids_sender: the sequence number of the sender's last SYN, and the number that the last
  // SYN-ACK to the sender acknowledged.
  std::optional<std::uint32_t> syn_sequence_[2], acknowledged_[2];
  // A bit each, by enum nids_sender.
  std::uint8_t syn_ = 0, named_ = 0, proved_ = 0;
};

}  // namespace nids
