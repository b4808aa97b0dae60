// SPDX-License-Identifier: Apache-2.0
// Turns one record of the ring into a packet or an exported flow; refuses whatever contradicts
// itself. A packet's bytes stay in the record (docs/adr/0012-a-packet-is-read-where-it-lies.md).
#pragma once

#include <cstddef>
#include <span>

#include "decode/exported_flow.hpp"
#include "decode/packet.hpp"
#include "nids/abi/event.h"
#include "nids/time.hpp"

namespace nids {

enum class DecodeResult { kPacket, kFlowExport, kInvalid };

// kPacket writes `packet` only, kFlowExport `flow` only, kInvalid neither. The record may be
// longer than what it says of itself, since the ring is reserved in size classes.
//
// Of a packet one may then rely on: enums and indexes are in range; a header offset is within
// `bytes` (at most at their end), or 0 where the header was not captured, and they are in order;
// payload_len is what the IP header claims, at most wire_len, and may be more than was captured.
[[nodiscard]] DecodeResult decode(std::span<const std::byte> record, ClockOffset clock,
                                  Packet& packet, ExportedFlow& flow);

}  // namespace nids
