// SPDX-License-Identifier: Apache-2.0
// What tests expect of a sample packet, whole and cut. Owns no packet.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "nids/abi/lists.h"
#include "support/packet_builder.hpp"

namespace nids {

// From `length` bytes on, the frame is `result`.
struct Cut {
  std::size_t length;
  nids_parse_result result;
};

struct HonestPacket {
  std::string name;
  Bytes frame;
  std::vector<Cut> on_wire;   // the frame has no more bytes than that
  std::vector<Cut> captured;  // the frame is whole, and no more bytes of it may be read
};

struct LyingPacket {
  std::string name;
  Bytes frame;
  nids_parse_result result;
};

// An IP packet that is cut on the wire claims more than the frame, once its header is there. It can
// be read where its innermost header was captured.
inline HonestPacket honest_ip(std::string name, const PacketBuilder& builder,
                              std::size_t network_end, std::size_t innermost_end,
                              nids_parse_result result = NIDS_PARSE_OK) {
  Bytes frame = builder.bytes();
  const std::size_t whole = frame.size();
  return {std::move(name),
          std::move(frame),
          {{0, NIDS_PARSE_TRUNCATED}, {network_end, NIDS_PARSE_BAD_LENGTH}, {whole, result}},
          {{0, NIDS_PARSE_UNAVAILABLE}, {innermost_end, result}}};
}

}  // namespace nids
