// SPDX-License-Identifier: Apache-2.0
#include "source/twin_flow.hpp"

#include "net/flow_key.h"
#include "source/twin_frame.hpp"

namespace nids {

std::optional<FlowIdentity> flow_of_frame(std::span<const std::byte> bytes, std::uint32_t wire_len,
                                          int dlt) {
  const nids_twin_frame frame = twin_frame(bytes, wire_len, {}, dlt);
  nids_packet packet;
  nids_packet_detail detail;
  nids_twin_parse(&frame, &packet, &detail);
  if ((packet.flags & NIDS_PACKET_IS_FLOW) == 0) return std::nullopt;
  FlowIdentity flow;
  nids_flow_key_of(&packet, &detail, &flow.key, &flow.tunnel);
  return flow;
}

}  // namespace nids
