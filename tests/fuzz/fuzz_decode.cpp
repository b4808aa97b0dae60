// SPDX-License-Identifier: Apache-2.0
// Hostile ring records: whatever decode accepts, later stages may index with.
#include <cstdlib>
#include <string_view>

#include "decode/decode.hpp"
#include "decode/printable.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

// Written by the table of RFC 3629 section 4, unlike printable() itself.
bool is_clean_utf8(std::string_view text) {
  const auto at = [text](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const auto is_tail = [at](std::size_t i) { return at(i) >= 0x80 && at(i) <= 0xbf; };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned lead = at(i);
    const unsigned second = at(i + 1);
    if (lead >= 0x20 && lead <= 0x7e) {
      i += 1;
    } else if (lead >= 0xc2 && lead <= 0xdf && is_tail(i + 1) && (lead != 0xc2 || second >= 0xa0)) {
      i += 2;
    } else if (lead >= 0xe0 && lead <= 0xef && is_tail(i + 1) && is_tail(i + 2) &&
               (lead != 0xe0 || second >= 0xa0) && (lead != 0xed || second <= 0x9f)) {
      i += 3;
    } else if (lead >= 0xf0 && lead <= 0xf4 && is_tail(i + 1) && is_tail(i + 2) && is_tail(i + 3) &&
               (lead != 0xf0 || second >= 0x90) && (lead != 0xf4 || second <= 0x8f)) {
      i += 4;
    } else {
      return false;
    }
  }
  return true;
}

void check(const nids::Packet& packet) {
  for (const std::size_t offset :
       {packet.headers.l3_offset, packet.headers.l4_offset, packet.headers.payload_offset})
    require(offset <= packet.bytes.size());
  require(packet.class_id > 0 && packet.class_id < NIDS_CLASS_MAX);
  require(packet.headers.vlan_count <= NIDS_VLAN_MAX);

  const auto payload = packet.payload();
  if (payload.empty()) return;
  require(payload.data() >= packet.bytes.data() &&
          payload.data() + payload.size() <= packet.bytes.data() + packet.bytes.size());
  const std::string_view text(reinterpret_cast<const char*>(payload.data()), payload.size());
  require(is_clean_utf8(nids::printable(text)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static nids::Packet packet;
  nids_flow_slot slot{};
  const auto record = std::as_bytes(std::span(data, size));
  switch (nids::decode(record, {}, packet, slot)) {
    case nids::DecodeResult::kPacket:
      check(packet);
      break;
    case nids::DecodeResult::kFlowExport:
      require(slot.class_id < NIDS_CLASS_MAX && slot.opener <= NIDS_FROM_HI);
      break;
    case nids::DecodeResult::kInvalid:
      break;
  }
  return 0;
}
