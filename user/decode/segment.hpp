// SPDX-License-Identifier: Apache-2.0
// Takes a GSO packet apart into the packets that go out on the wire, as the kernel does behind the
// egress hook. Invents no byte that was not captured.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "decode/packet.hpp"

namespace nids {

// Calls back for each wire packet in order; `buffer` may hold its bytes, and is used again. A
// packet that is one on the wire, or can't be taken apart (its headers were not captured; over
// 1,024 segments), comes as it is.
void each_wire_packet(Packet& packet, std::vector<std::byte>& buffer,
                      const std::function<void(Packet&)>& on_packet);

}  // namespace nids
