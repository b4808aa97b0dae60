// SPDX-License-Identifier: Apache-2.0
// Hostile ring records: whatever decode accepts, later stages may index with.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "decode/decode.hpp"
#include "decode/printable.hpp"

namespace {

void require(bool holds, int line = __builtin_LINE()) {
  if (holds) return;
  std::fprintf(stderr, "%s:%d does not hold\n", __FILE__, line);
  std::abort();
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
  require(packet.class_id < NIDS_CLASS_MAX && packet.findings >> NIDS_FINDING_COUNT == 0);
  require(packet.reason < NIDS_REASON_COUNT && packet.reason != NIDS_REASON_FLOW_EXPORT);
  require(packet.other_class < NIDS_CLASS_MAX && packet.headers.tunnel < NIDS_TUNNEL_COUNT);
  require(packet.headers.result < NIDS_PARSE_RESULT_COUNT && packet.wire_packets != 0);
  for (const unsigned version : {packet.headers.ip_version, packet.detail.outer.ip_version,
                                 packet.detail.embedded.ip_version})
    require(version == 0 || version == 4 || version == 6);
  require(packet.headers.vlan_count <= NIDS_VLAN_MAX);

  const auto payload = packet.payload();
  if (payload.empty()) return;
  require(payload.data() >= packet.bytes.data() &&
          payload.data() + payload.size() <= packet.bytes.data() + packet.bytes.size());
  const std::string_view text(reinterpret_cast<const char*>(payload.data()), payload.size());
  require(is_clean_utf8(nids::printable(text)));
}

void check(const nids::ExportedFlow& flow) {
  require(flow.key.ip_version == 4 || flow.key.ip_version == 6);
  require(flow.key.vlan[0] < 4096 && flow.key.vlan[1] < 4096);
  require(flow.state.class_id < NIDS_CLASS_MAX && flow.state.other_class < NIDS_CLASS_MAX);
  require(flow.key.tunnel < NIDS_TUNNEL_COUNT && flow.cause <= NIDS_EXPORT_FULL);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static nids::Packet packet;
  nids::ExportedFlow flow;
  const auto record = std::as_bytes(std::span(data, size));
  switch (nids::decode(record, {}, packet, flow)) {
    case nids::DecodeResult::kPacket:
      check(packet);
      break;
    case nids::DecodeResult::kFlowExport:
      check(flow);
      break;
    case nids::DecodeResult::kInvalid:
      break;
  }
  return 0;
}
