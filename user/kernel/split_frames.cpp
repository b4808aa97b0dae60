// SPDX-License-Identifier: Apache-2.0
#include "kernel/split_frames.hpp"

#include <bpf/bpf.h>

namespace nids {

// In skb mode frames may be of the size of GSO packets, at any MTU. A map that can't be written
// leaves the program as it was: right, and slower at worst.
void tell_mtu(const Attachment& attachment, std::uint32_t mtu) {
  const std::uint32_t first = 0;
  const std::uint32_t may_be_split = attachment.mode != NIDS_MODE_NATIVE || mtu > kOneBufferMtu;
  bpf_map_update_elem(attachment.maps.fd(".data.frames"), &first, &may_be_split, BPF_ANY);
}

}  // namespace nids
