// SPDX-License-Identifier: Apache-2.0
// Hostile frames: parse stays inside what it may read, what it says is in order, and the ledger of
// the first pass balances after every packet.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>

#include "firstpass/first_pass.hpp"

namespace {

constexpr std::size_t kHeadBytes = 4;     // before each frame of the input: see next_frame()
constexpr std::uint32_t kWireStep = 337;  // an excess byte of 255 makes a frame beyond 65,535

void require(bool holds) {
  if (!holds) std::abort();
}

struct FuzzedFrame {
  nids_twin_frame facts{};
  std::unique_ptr<std::byte[]> bytes;  // of just that size: a sanitizer sees a read behind it
};

// An input is a row of frames, each behind 4 bytes: link kind and offset, what the wire had beyond
// the capture, and the captured length.
std::optional<FuzzedFrame> next_frame(std::span<const std::uint8_t>& input) {
  static constexpr std::uint16_t kEtherTypes[] = {0x0800, 0x86dd, 0x8100, 0x0806};
  if (input.size() < kHeadBytes) return {};
  const std::uint8_t kind = input[0];
  const std::uint32_t excess = input[1] * kWireStep;
  const std::size_t length =
      std::min<std::size_t>(input[2] | input[3] << 8, input.size() - kHeadBytes);

  FuzzedFrame frame{.bytes = std::unique_ptr<std::byte[]>(new std::byte[length])};
  std::ranges::copy(std::as_bytes(input.subspan(kHeadBytes, length)), frame.bytes.get());
  frame.facts = {.bytes = frame.bytes.get(),
                 .captured_len = static_cast<std::uint32_t>(length),
                 .wire_len = static_cast<std::uint32_t>(length) + excess,
                 .time_ns = 1'000'000,
                 .is_ethernet = static_cast<std::uint8_t>((kind & 1) == 0)};
  if (!frame.facts.is_ethernet) {
    frame.facts.ether_type = kEtherTypes[kind >> 1 & 3];
    frame.facts.l3_offset = kind >> 3;
  }
  input = input.subspan(kHeadBytes + length);
  return frame;
}

void check(const nids_packet& packet, const nids_twin_frame& frame) {
  require(packet.result < NIDS_PARSE_RESULT_COUNT);
  require(packet.network < NIDS_NETWORK_COUNT);
  require(packet.transport <= NIDS_TRANSPORT_COUNT);
  require(packet.vlan_count <= NIDS_VLAN_MAX);
  require(packet.ip_version == 0 || packet.ip_version == 4 || packet.ip_version == 6);
  for (const std::uint16_t id : packet.vlan) require(id < 4096);

  // Where the link header alone is longer than the frame, only its offset is told.
  if (frame.l3_offset <= frame.wire_len) require(packet.l3_offset <= frame.wire_len);
  if (packet.l4_offset != 0) {
    require(packet.l3_offset <= packet.l4_offset && packet.l4_offset <= frame.wire_len);
  }
  if (packet.payload_offset != 0) require(packet.l4_offset <= packet.payload_offset);
  require(packet.payload_offset + packet.payload_len <= frame.wire_len);

  if ((packet.flags & NIDS_PACKET_IS_FLOW) != 0)
    require(packet.result == NIDS_PARSE_OK && packet.ip_version != 0 &&
            packet.transport < NIDS_TRANSPORT_COUNT);
  else
    require(packet.payload_offset == 0 && packet.payload_len == 0);
  if ((packet.flags & NIDS_PACKET_HAS_PORTS) != 0)
    require((packet.flags & NIDS_PACKET_IS_FLOW) != 0);
}

void check(const nids_counters& c, const nids_sum& scanned) {
  const nids_sum& seen = c.seen[NIDS_INGRESS];
  require(seen.packets ==
          c.live.packets + c.exported.packets + c.unaccounted.packets + c.no_flow.packets);
  require(seen.bytes == c.live.bytes + c.exported.bytes + c.unaccounted.bytes + c.no_flow.bytes);
  require(scanned.packets == c.live.packets && scanned.bytes == c.live.bytes);
  std::uint64_t results = 0;
  for (const std::uint64_t count : c.parse) results += count;
  require(results == seen.packets && c.started == c.finished);
}

nids::FirstPass first_pass() {
  static const auto ports = [] {
    auto table = std::make_unique<nids_port_classes>();
    for (std::size_t port = 0; port < 65'536; ++port)
      table->tcp[port] = table->udp[port] = port % 3;
    return table;
  }();
  static constexpr nids_class kClasses[] = {
      {},
      {.depth_bytes = 100'000, .interest = NIDS_INTEREST_CAPTURE},
      {.depth_bytes = 200, .interest = NIDS_INTEREST_CAPTURE}};
  return {{.slots = 64}, kClasses, *ports, [](std::span<const std::byte> record) {
            require(record.size() >= sizeof(nids_event) &&
                    record.size() <= sizeof(nids_packet_event) + NIDS_SNAP_MAX);
          }};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  nids::FirstPass pass = first_pass();
  std::span input(data, size);
  while (const std::optional<FuzzedFrame> frame = next_frame(input)) {
    nids_packet packet;
    nids_twin_parse(&frame->facts, &packet);
    check(packet, frame->facts);
    pass.packet(frame->facts);
    check(pass.counters(), pass.live_by_scan());
  }
  return 0;
}
