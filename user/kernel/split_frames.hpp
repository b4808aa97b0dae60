// SPDX-License-Identifier: Apache-2.0
// Tells the XDP program of an interface whether frames may come in more than one buffer. The
// program then asks the kernel for the length of each frame, which costs a third more. Loads
// nothing.
#pragma once

#include <cstdint>

#include "kernel/attachment.hpp"

namespace nids {

// The longest MTU whose frames are in one buffer, whatever the driver: a page, less the room before
// a frame, what struct skb_shared_info takes after it, an Ethernet header and two VLAN tags.
inline constexpr std::uint32_t kOneBufferMtu = 4096 - 256 - 320 - 14 - 2 * 4;

// Call it after attaching and after each change of the MTU. A late call only costs speed: if the IP
// length exceeds the first buffer, the program takes the slow path.
void tell_mtu(const Attachment& attachment, std::uint32_t mtu);

}  // namespace nids
