// SPDX-License-Identifier: Apache-2.0
#include "source/twin_frame.hpp"

#include "source/link_layer.hpp"

namespace nids {

nids_twin_frame twin_frame(std::span<const std::byte> bytes, std::uint32_t wire_len, WallTime time,
                           int dlt) {
  nids_twin_frame out{};
  out.bytes = bytes.data();
  out.captured_len = static_cast<std::uint32_t>(bytes.size());
  out.wire_len = wire_len;
  out.time_ns = time.ns;
  out.zero_means_rest = true;
  if (const auto layer = link_layer(dlt, bytes)) {
    out.is_ethernet = layer->ethernet;
    out.ether_type = layer->ether_type;
    out.l3_offset = static_cast<std::uint32_t>(layer->offset);
  } else {
    out.is_ethernet = true;  // shorter than its link header: truncated, as parse says of Ethernet
    out.captured_len = 0;
  }
  return out;
}

nids_twin_frame twin_frame(const Frame& frame, int dlt) {
  return twin_frame(frame.bytes, frame.wire_len, frame.time, dlt);
}

}  // namespace nids
