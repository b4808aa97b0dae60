// SPDX-License-Identifier: Apache-2.0
// Whether frames of an interface may reach its XDP program in more than one buffer: the program
// asks the kernel for the length of each frame then, which costs it a third more. Loads nothing.
#pragma once

#include <cstdint>

#include "kernel/attachment.hpp"

namespace nids {

// The longest MTU whose frames are in one buffer, whatever the driver: a page, less the room before
// a frame, what struct skb_shared_info takes after it, an Ethernet header and two VLAN tags.
inline constexpr std::uint32_t kOneBufferMtu = 4096 - 256 - 320 - 14 - 2 * 4;

// After attaching, and after each change of the MTU. Until then the program takes the length of a
// packet from its IP header where that says more than the first buffer holds, so nothing is wrong
// meanwhile, only slower.
void tell_mtu(const Attachment& attachment, std::uint32_t mtu);

}  // namespace nids
