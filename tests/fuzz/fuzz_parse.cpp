// SPDX-License-Identifier: Apache-2.0
// Hostile frames: parse stays inside what it may read, what it says is in order, the ledger of the
// first pass balances after every packet, and decode takes each record that it makes.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>

#include "decode/decode.hpp"
#include "firstpass/first_pass.hpp"
#include "net/flow_identity.hpp"
#include "net/flow_key.h"

namespace {

constexpr std::size_t kHeadBytes = 6;     // before each frame of the input: see next_frame()
constexpr std::uint32_t kWireStep = 337;  // an excess byte of 255 makes a frame beyond 65,535
constexpr std::uint64_t kTimeStep_ns = 300'000'000;  // a time byte of 255 is more than idle
constexpr std::uint8_t kCommand = 0x80, kPorts = 5;

void require(bool holds, int line = __builtin_LINE()) {
  if (holds) return;
  std::fprintf(stderr, "%s:%d does not hold\n", __FILE__, line);
  std::abort();
}

struct FuzzedFrame {
  nids_twin_frame facts{};
  std::unique_ptr<std::byte[]> bytes;    // of just that size: a sanitizer sees a read behind it
  std::optional<nids_interest> command;  // for the flow that came up last, before this frame
};

// An input is a byte of features, then a row of frames, each behind 6 bytes: link kind and offset,
// what the wire had beyond the capture, the captured length, the time since the frame before, and
// a command.
std::optional<FuzzedFrame> next_frame(std::span<const std::uint8_t>& input, std::uint64_t& now_ns) {
  static constexpr std::uint16_t kEtherTypes[] = {0x0800, 0x86dd, 0x8100, 0x0806};
  if (input.size() < kHeadBytes) return {};
  const std::uint8_t kind = input[0];
  const std::uint32_t excess = input[1] * kWireStep;
  const std::size_t length =
      std::min<std::size_t>(input[2] | input[3] << 8, input.size() - kHeadBytes);

  FuzzedFrame frame{.bytes = std::unique_ptr<std::byte[]>(new std::byte[length]), .command = {}};
  if ((input[5] & kCommand) != 0)
    frame.command = static_cast<nids_interest>((input[5] & (kCommand - 1)) % NIDS_INTEREST_KINDS);
  std::ranges::copy(std::as_bytes(input.subspan(kHeadBytes, length)), frame.bytes.get());
  frame.facts = {.bytes = frame.bytes.get(),
                 .captured_len = static_cast<std::uint32_t>(length),
                 .wire_len = static_cast<std::uint32_t>(length) + excess,
                 .time_ns = now_ns += input[4] * kTimeStep_ns,
                 .is_ethernet = static_cast<std::uint8_t>((kind & 1) == 0)};
  if (frame.facts.is_ethernet) {
    frame.facts.zero_means_rest = (kind & 2) != 0;
  } else {
    frame.facts.ether_type = kEtherTypes[kind >> 1 & 3];
    frame.facts.l3_offset = kind >> 3;
  }
  input = input.subspan(kHeadBytes + length);
  return frame;
}

// Only of these is the inside looked for: it may be unreadable where the packet has a flow.
bool may_be_a_wrapping(const nids_packet& p) {
  return p.l4_proto == 4 || p.l4_proto == 41 || p.l4_proto == 47 ||
         (p.l4_proto == 17 && (p.dst_port == 4789 || p.dst_port == 8472 || p.dst_port == 6081));
}

void check_flow(const nids_packet& packet) {
  const bool is_flow = (packet.flags & NIDS_PACKET_IS_FLOW) != 0;
  if (is_flow) {
    require(packet.ip_version != 0 && packet.transport < NIDS_TRANSPORT_COUNT);
    require(packet.result == NIDS_PARSE_OK || may_be_a_wrapping(packet));
    require(packet.l4_offset != 0 || packet.l3_offset == 0);
  } else {
    require(packet.payload_offset == 0 && packet.payload_len == 0);
    require(packet.result != NIDS_PARSE_OK || packet.network == NIDS_NETWORK_ARP);
    // A later fragment inside a tunnel has a flow only if its datagram is known.
    require(packet.tunnel == NIDS_TUNNEL_NONE || packet.result == NIDS_PARSE_LATER_FRAGMENT);
  }
  if ((packet.flags & (NIDS_PACKET_HAS_PORTS | NIDS_PACKET_IS_ICMP_ERROR)) != 0) require(is_flow);
  if (packet.tcp_flags != 0) require(packet.l4_proto == 6);
}

void check(const nids_packet& packet, const nids_twin_frame& frame) {
  require(packet.result < NIDS_PARSE_RESULT_COUNT);
  require(packet.network < NIDS_NETWORK_COUNT);
  require(packet.transport <= NIDS_TRANSPORT_COUNT);
  require(packet.tunnel < NIDS_TUNNEL_COUNT);
  require(packet.vlan_count <= NIDS_VLAN_MAX);
  require(packet.ip_version == 0 || packet.ip_version == 4 || packet.ip_version == 6);
  require(nids_twin_findings(&packet) >> NIDS_FINDING_COUNT == 0);
  for (const std::uint16_t id : packet.vlan) require(id < 4096);

  // Where the link header alone is longer than the frame, only its offset is told.
  if (frame.l3_offset <= frame.wire_len) require(packet.l3_offset <= frame.wire_len);
  if (packet.l4_offset != 0)
    require(packet.l3_offset <= packet.l4_offset && packet.l4_offset <= frame.wire_len);
  if (packet.payload_offset != 0) require(packet.l4_offset <= packet.payload_offset);
  require(packet.payload_offset + packet.payload_len <= frame.wire_len);
  check_flow(packet);
}

template <class T>
bool is_zero(const T& value) {
  static constexpr T kZero{};
  return std::memcmp(&value, &kZero, sizeof(value)) == 0;
}

void check(const nids_packet_detail& detail, const nids_packet& packet) {
  const auto is_version = [](std::uint8_t v) { return v == 0 || v == 4 || v == 6; };
  require(is_version(detail.embedded.ip_version) && detail.embedded.has_ports <= 1);
  if (packet.tunnel == NIDS_TUNNEL_NONE)
    require((packet.flags & NIDS_PACKET_IS_FLOW) == 0 || is_zero(detail.outer));
  else
    require(detail.outer.ip_version != 0 && detail.outer.l3_offset <= packet.l3_offset);
  if ((packet.flags & NIDS_PACKET_IS_ICMP_ERROR) == 0) require(is_zero(detail.embedded));
  if (packet.tunnel == NIDS_TUNNEL_NONE && (packet.l4_proto != 6 || (packet.tcp_flags & 0x02) == 0))
    require(is_zero(detail.tcp_options));
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

// What came up, and where its flow is.
struct Records {
  nids::Packet packet;
  nids::ExportedFlow flow;
  std::uint64_t count = 0;
  bool has_flow = false;

  void take(std::span<const std::byte> record) {
    ++count;
    require(record.size() <=
            sizeof(nids_packet_event) + sizeof(nids_packet_detail) + NIDS_SNAP_MAX);
    const nids::DecodeResult kind = nids::decode(record, {}, packet, flow);
    require(kind != nids::DecodeResult::kInvalid);
    if (kind == nids::DecodeResult::kPacket)
      has_flow = (packet.headers.flags & NIDS_PACKET_IS_FLOW) != 0;
  }
};

nids::FirstPass first_pass(std::uint32_t features, Records& records) {
  static const auto ports = [] {
    auto table = std::make_unique<nids_port_classes>();
    for (std::size_t port = 0; port < 65'536; ++port)
      table->tcp[port] = table->udp[port] = port % kPorts;
    return table;
  }();
  static constexpr nids_class kClasses[] = {
      {.interest = NIDS_INTEREST_IDENTIFY, .identify_packets = 1},
      {.interest = NIDS_INTEREST_CAPTURE},
      {.depth_bytes = 200, .interest = NIDS_INTEREST_INSPECT},
      {.interest = NIDS_INTEREST_IDENTIFY, .identify_packets = 3},
      {.interest = NIDS_INTEREST_BYPASS}};
  return {{.slots = 64, .slots_ipv6 = 64, .features = features & NIDS_FEATURES_ALL},
          kClasses,
          *ports,
          [&records](std::span<const std::byte> record) { records.take(record); }};
}

void parse_alone(const nids_twin_frame& frame) {
  nids_packet packet, same;
  nids_packet_detail detail;
  nids_twin_parse(&frame, &packet, &detail);
  nids_twin_parse(&frame, &same, nullptr);
  require(std::memcmp(&packet, &same, sizeof(packet)) == 0);
  check(packet, frame);
  check(detail, packet);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Records records;
  nids::FirstPass pass = first_pass(data[0], records);
  std::span input(data + 1, size - 1);
  std::uint64_t now_ns = 1'000'000;
  while (const std::optional<FuzzedFrame> frame = next_frame(input, now_ns)) {
    if (frame->command && records.has_flow) {
      nids::FlowIdentity flow;
      nids_flow_key_of(&records.packet.headers, &records.packet.detail, &flow.key, &flow.tunnel);
      require(pass.command(flow.key, flow.tunnel, records.packet.slot.set, *frame->command) <= 1);
    }
    parse_alone(frame->facts);
    pass.packet(frame->facts);
    check(pass.counters(), pass.live_by_scan());
    require(records.count == pass.counters().ring_offered.packets);
  }
  return 0;
}
