// SPDX-License-Identifier: Apache-2.0
// What the TCP packets of a flow that reached the agent say about who opened the connection. Any
// of them may be forged, so SYNs only name an opener. The proof is a SYN-ACK that acknowledges the
// opener's SYN (RFC 9293 section 3.5): who sends it has read that SYN. Decides nothing.
#pragma once

#include <cstdint>

#include "nids/abi/flow.h"

namespace nids {

class Handshake {
 public:
  // A packet of `sender`, its flags and numbers as in its header.
  void add(nids_sender sender, std::uint8_t tcp_flags, std::uint32_t sequence,
           std::uint32_t acknowledgement);

  bool has_syn(nids_sender opener) const { return (syn_ >> opener & 1) != 0; }
  // A SYN from it, or a SYN-ACK to it.
  bool names(nids_sender opener) const { return (named_ >> opener & 1) != 0; }
  bool proves(nids_sender opener) const { return (proved_ >> opener & 1) != 0; }

 private:
  std::uint32_t syn_sequence_[2]{};  // of the last SYN of each, by enum nids_sender
  // A bit each, by enum nids_sender.
  std::uint8_t syn_ = 0, named_ = 0, proved_ = 0;
};

}  // namespace nids
