// SPDX-License-Identifier: Apache-2.0
// What a frame's link header says follows it, for every link type that replay takes. Never looks
// past the link header, but for the IP version where there is none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace nids {

struct LinkLayer {
  std::uint16_t ether_type = 0;  // host order; 0: none that means anything. VLAN tags are left in
  std::size_t offset = 0;        // bytes before what ether_type names
  bool ethernet = false;         // an Ethernet header stands at `offset`, and ether_type is unread
};

// Whether link_layer() knows the DLT_* value.
bool link_type_taken(int dlt);

// Nothing where the frame ends inside its link header, or the link type is not taken. A short
// Ethernet frame is left to parse, which counts it as it does in the kernel.
std::optional<LinkLayer> link_layer(int dlt, std::span<const std::byte> frame);

}  // namespace nids
