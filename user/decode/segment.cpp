// SPDX-License-Identifier: Apache-2.0
#include "decode/segment.hpp"

#include <algorithm>
#include <cstring>

#include "net/tcp_flags.hpp"

namespace nids {
namespace {

// Linux makes at most 512 KiB of segments of no fewer than 536 bytes; more is a lie that would
// make one record many packets.
constexpr std::uint32_t kMaxSegments = 1024;

std::uint16_t read16(const std::byte* at) {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(at[0]) << 8 |
                                    std::to_integer<unsigned>(at[1]));
}

void write16(std::byte* at, std::uint32_t value) {
  at[0] = static_cast<std::byte>(value >> 8);
  at[1] = static_cast<std::byte>(value);
}

void add32(std::byte* at, std::uint32_t value) {
  const std::uint32_t sum = (std::uint32_t{read16(at)} << 16 | read16(at + 2)) + value;
  write16(at, sum >> 16);
  write16(at + 2, sum & 0xffff);
}

std::uint32_t fold(std::uint32_t sum) {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

// RFC 791 section 3.1, over the header with its checksum field zero.
void sum_ipv4(std::byte* header, std::size_t bytes) {
  write16(header + 10, 0);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < bytes; i += 2) sum += read16(header + i);
  write16(header + 10, ~fold(sum) & 0xffff);
}

// On the way out the field holds the sum of the pseudo-header, which the network card completes;
// only the length in it changes (RFC 1624).
void shorten_pseudo_sum(std::byte* field, std::uint32_t old_len, std::uint32_t new_len) {
  write16(field, fold(read16(field) + fold(~fold(old_len) & 0xffff) + fold(new_len)));
}

struct Slice {
  std::uint32_t index = 0;
  std::uint32_t offset = 0;  // bytes of payload before it
  std::uint32_t bytes = 0;   // of payload
  bool is_last = false;
};

void fix_ip(const Packet& part, std::byte* frame, const Slice& slice) {
  std::byte* ip = frame + part.headers.l3_offset;
  const std::uint32_t l3_len = part.wire_len - part.headers.l3_offset;
  if (part.headers.ip_version == 6) {
    write16(ip + 4, l3_len - 40);
    return;
  }
  write16(ip + 2, l3_len);
  write16(ip + 4, read16(ip + 4) + slice.index);
  sum_ipv4(ip, std::size_t{part.headers.l4_offset} - part.headers.l3_offset);
}

void fix_tcp(Packet& part, std::byte* frame, const Slice& slice, std::uint32_t old_l4_len) {
  std::byte* tcp = frame + part.headers.l4_offset;
  std::uint8_t& flags = part.headers.tcp_flags;
  add32(tcp + 4, slice.offset);
  if (!slice.is_last) flags &= static_cast<std::uint8_t>(~(kTcpFin | kTcpPush));
  if (slice.index != 0) flags &= static_cast<std::uint8_t>(~kTcpCwr);
  tcp[13] = static_cast<std::byte>(flags);
  shorten_pseudo_sum(tcp + 16, old_l4_len, part.wire_len - part.headers.l4_offset);
}

void fix_udp(const Packet& part, std::byte* frame, std::uint32_t old_l4_len) {
  std::byte* udp = frame + part.headers.l4_offset;
  const std::uint32_t l4_len = part.wire_len - part.headers.l4_offset;
  write16(udp + 4, l4_len);
  shorten_pseudo_sum(udp + 6, old_l4_len, l4_len);
}

// Of a tunnel's packet whose inside was not read the segments are those of the inside: then there
// are not so many of them as of this payload.
bool segments_are_of_payload(const Packet& packet) {
  const nids_packet& h = packet.headers;
  return h.transport == NIDS_TRANSPORT_TCP ||
         (h.payload_len + packet.segment_len - 1) / packet.segment_len == packet.wire_packets;
}

// parse has read these headers, so only their captured length is in question.
bool can_be_taken_apart(const Packet& packet) {
  const nids_packet& h = packet.headers;
  const bool has_transport = h.transport == NIDS_TRANSPORT_TCP || h.transport == NIDS_TRANSPORT_UDP;
  // In a tunnel `transport` is the outermost's, whose headers would have to be cut too.
  return packet.segment_len != 0 && has_transport && h.tunnel == NIDS_TUNNEL_NONE &&
         h.l3_offset != 0 && h.l4_offset != 0 &&
         h.payload_offset >= h.l4_offset + (h.transport == NIDS_TRANSPORT_TCP ? 20 : 8) &&
         h.l4_offset >= h.l3_offset + (h.ip_version == 6 ? 40 : 20) &&
         h.payload_offset <= packet.bytes.size() &&
         h.payload_len / packet.segment_len < kMaxSegments && segments_are_of_payload(packet);
}

// `part` is a copy of the whole, or of it with another slice.
void cut(const Packet& whole, const Slice& slice, Packet& part, std::vector<std::byte>& buffer) {
  const nids_packet& h = whole.headers;
  const auto headers = whole.bytes.first(h.payload_offset);
  const auto payload = whole.bytes.subspan(h.payload_offset);
  const auto from = std::min<std::size_t>(slice.offset, payload.size());
  const auto data =
      payload.subspan(from, std::min<std::size_t>(slice.bytes, payload.size() - from));
  buffer.assign(headers.begin(), headers.end());
  buffer.insert(buffer.end(), data.begin(), data.end());
  part.bytes = buffer;
  part.headers.tcp_flags = h.tcp_flags;
  part.headers.payload_len = slice.bytes;
  part.wire_len = part.frame_len = h.payload_offset + slice.bytes;
  part.wire_packets = 1;
  part.segment_len = 0;
  fix_ip(part, buffer.data(), slice);
  const std::uint32_t old_l4_len = whole.frame_len - h.l4_offset;
  if (h.transport == NIDS_TRANSPORT_TCP)
    fix_tcp(part, buffer.data(), slice, old_l4_len);
  else
    fix_udp(part, buffer.data(), old_l4_len);
}

}  // namespace

void each_wire_packet(Packet& packet, std::vector<std::byte>& buffer,
                      const std::function<void(Packet&)>& on_packet) {
  if (!can_be_taken_apart(packet)) {
    on_packet(packet);
    return;
  }
  const std::uint32_t payload_len = packet.headers.payload_len;
  Packet part = packet;
  Slice slice;
  do {
    slice.bytes = std::min(packet.segment_len, payload_len - slice.offset);
    slice.is_last = slice.offset + slice.bytes >= payload_len;
    cut(packet, slice, part, buffer);
    on_packet(part);
    slice.offset += slice.bytes;
    ++slice.index;
  } while (slice.offset < payload_len);
}

}  // namespace nids
