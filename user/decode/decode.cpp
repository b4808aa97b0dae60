// SPDX-License-Identifier: Apache-2.0
#include "decode/decode.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace nids {
namespace {

constexpr std::uint16_t kVlanIdMax = 4095;

// Copied out, because a record promises no alignment.
template <class T>
bool read(std::span<const std::byte> record, T& value) {
  if (record.size() < sizeof(T)) return false;
  std::memcpy(&value, record.data(), sizeof(T));
  return true;
}

bool is_ip(std::uint8_t version) { return version == 4 || version == 6; }

// Each header that there is begins where the one before it does, or later.
bool in_order(const nids_packet& headers) {
  std::uint16_t before = 0;
  for (const std::uint16_t offset :
       {headers.l3_offset, headers.l4_offset, headers.payload_offset}) {
    if (offset == 0) continue;
    if (offset < before) return false;
    before = offset;
  }
  return true;
}

bool is_valid(const nids_packet& headers) {
  const bool needs_ip = (headers.flags & (NIDS_PACKET_IS_FLOW | NIDS_PACKET_HAS_PORTS)) != 0;
  if (headers.result >= NIDS_PARSE_RESULT_COUNT || headers.network >= NIDS_NETWORK_COUNT ||
      headers.transport > NIDS_TRANSPORT_COUNT || headers.vlan_count > NIDS_VLAN_MAX ||
      headers.tunnel >= NIDS_TUNNEL_COUNT)
    return false;
  if (headers.ip_version == 0 ? needs_ip : !is_ip(headers.ip_version)) return false;
  if (std::any_of(headers.vlan, headers.vlan + headers.vlan_count,
                  [](std::uint16_t id) { return id > kVlanIdMax; }))
    return false;
  return in_order(headers);
}

bool is_valid(const nids_packet_event& record, std::size_t bytes_behind) {
  const bool has_detail = record.detail_len == sizeof(nids_packet_detail);
  return (has_detail || record.detail_len == 0) && record.detail_len <= bytes_behind &&
         record.cap_len <= bytes_behind - record.detail_len && record.cap_len <= NIDS_SNAP_MAX &&
         record.cap_len <= record.frame_len && record.wire_packets != 0 &&
         record.class_id < NIDS_CLASS_MAX && record.other_class < NIDS_CLASS_MAX &&
         record.from_opener <= 1 && record.reason < NIDS_REASON_COUNT &&
         record.reason != NIDS_REASON_FLOW_EXPORT && record.findings >> NIDS_FINDING_COUNT == 0 &&
         is_valid(record.packet);
}

bool is_valid(const nids_packet_detail& detail) {
  const auto is_ip_or_none = [](std::uint8_t version) { return version == 0 || is_ip(version); };
  return is_ip_or_none(detail.outer.ip_version) && is_ip_or_none(detail.embedded.ip_version);
}

bool is_valid(const nids_flow_event& record) {
  const nids_flow_key& key = record.flow.key;
  return is_ip(key.ip_version) && key.tunnel < NIDS_TUNNEL_COUNT &&
         record.flow.state.class_id < NIDS_CLASS_MAX &&
         record.flow.state.other_class < NIDS_CLASS_MAX && record.tick_ns != 0 &&
         record.cause <= NIDS_EXPORT_FULL && key.vlan[0] <= kVlanIdMax && key.vlan[1] <= kVlanIdMax;
}

// Ticks wrap: what is told is how long before the record they were.
WallTime time_of(std::uint32_t ticks, const nids_flow_event& record, ClockOffset clock) {
  const std::uint64_t ago_ns = std::uint64_t{record.now_ticks - ticks} * record.tick_ns;
  const std::uint64_t now_ns = record.event.ktime_ns;
  return clock.wall(MonoTime{now_ns > ago_ns ? now_ns - ago_ns : 0});
}

void fill(ExportedFlow& flow, const nids_flow_event& record, ClockOffset clock) {
  flow.key = record.flow.key;
  flow.state = record.flow.state;
  flow.history = record.flow.history;
  flow.created = time_of(record.flow.state.created_ticks, record, clock);
  flow.last = time_of(record.flow.state.last_ticks, record, clock);
  flow.cause = static_cast<nids_export>(record.cause);
  flow.ifindex = record.event.ifindex;
  flow.set = record.set;
  flow.cpu = record.cpu;
}

// A snapped packet's headers may lie beyond what was captured; that is no lie of the record.
void forget_what_was_not_captured(nids_packet& headers, std::uint32_t cap_len) {
  for (std::uint16_t* offset : {&headers.l3_offset, &headers.l4_offset, &headers.payload_offset})
    if (*offset > cap_len) *offset = 0;
}

void fill(Packet& packet, const nids_packet_event& record, ClockOffset clock,
          std::span<const std::byte> captured) {
  packet.time = clock.wall(MonoTime{record.event.ktime_ns});
  packet.headers = record.packet;
  std::fill(packet.headers.vlan + record.packet.vlan_count, std::end(packet.headers.vlan),
            std::uint16_t{0});
  packet.headers.payload_len = std::min(record.packet.payload_len, record.wire_len);
  forget_what_was_not_captured(packet.headers, record.cap_len);
  packet.direction = static_cast<nids_direction>(record.event.direction);
  packet.ifindex = record.event.ifindex;
  packet.wire_len = record.wire_len;
  packet.wire_packets = record.wire_packets;
  packet.segment_len = record.segment_len;
  packet.frame_len = record.frame_len;
  packet.class_id = record.class_id;
  packet.other_class = record.other_class;
  packet.findings = record.findings;
  packet.reason = static_cast<nids_reason>(record.reason);
  packet.slot = record.slot;
  // What belongs to no flow has no opener but its sender.
  packet.from_opener = record.from_opener == 1 || (record.packet.flags & NIDS_PACKET_IS_FLOW) == 0;
  packet.bytes = captured;
}

}  // namespace

DecodeResult decode(std::span<const std::byte> record, ClockOffset clock, Packet& packet,
                    ExportedFlow& flow) {
  nids_event event;
  if (!read(record, event) || event.abi_version != NIDS_ABI_VERSION ||
      event.direction > NIDS_EGRESS)
    return DecodeResult::kInvalid;

  if (event.kind == NIDS_RECORD_PACKET) {
    nids_packet_event claimed;
    if (!read(record, claimed)) return DecodeResult::kInvalid;
    const auto behind = record.subspan(sizeof(claimed));
    if (!is_valid(claimed, behind.size())) return DecodeResult::kInvalid;
    nids_packet_detail detail{};
    if (claimed.detail_len != 0 && (!read(behind, detail) || !is_valid(detail)))
      return DecodeResult::kInvalid;
    fill(packet, claimed, clock, behind.subspan(claimed.detail_len, claimed.cap_len));
    packet.detail = detail;
    return DecodeResult::kPacket;
  }
  if (event.kind == NIDS_RECORD_FLOW_EXPORT) {
    nids_flow_event claimed;
    if (!read(record, claimed) || !is_valid(claimed)) return DecodeResult::kInvalid;
    nids_flow_tunnel tunnel{};
    const bool has_tunnel = claimed.flow.key.tunnel != NIDS_TUNNEL_NONE;
    if (has_tunnel && !read(record.subspan(sizeof(claimed)), tunnel)) return DecodeResult::kInvalid;
    fill(flow, claimed, clock);
    flow.tunnel = tunnel;
    return DecodeResult::kFlowExport;
  }
  return DecodeResult::kInvalid;
}

}  // namespace nids
