// SPDX-License-Identifier: Apache-2.0
#include "export/ipfix.hpp"

#include <netinet/in.h>

#include <array>
#include <cassert>
#include <concepts>
#include <cstring>

namespace nids::ipfix {
namespace {

constexpr std::uint16_t kVersion = 10;
constexpr std::size_t kHeaderBytes = 16;
constexpr std::size_t kSetHeaderBytes = 4;
constexpr std::uint16_t kTemplateSet = 2;
constexpr std::uint16_t kEnterpriseBit = 0x8000;
constexpr std::uint32_t kReverse = 29'305;  // RFC 5103 section 6.1: the element of the other way

// biflowDirection: the source is who opened the flow, as well as could be told (RFC 5103 section
// 6.3).
constexpr std::uint8_t kInitiator = 1;

struct Element {
  std::uint16_t id;     // of the IANA registry "IPFIX Information Elements"
  std::uint16_t bytes;  // as sent, which may be less than the element's own type has
  bool is_reverse = false;
};

// The order is that of put_record().
constexpr auto elements_of(bool is_ipv6) {
  const auto pick = [is_ipv6](std::uint16_t ipv4, std::uint16_t ipv6) {
    return is_ipv6 ? ipv6 : ipv4;
  };
  return std::to_array<Element>({
      {pick(8, 27), pick(4, 16)},   // sourceIPv4Address, sourceIPv6Address
      {pick(12, 28), pick(4, 16)},  // destinationIPv4Address, destinationIPv6Address
      {7, 2},                       // sourceTransportPort
      {11, 2},                      // destinationTransportPort
      {pick(32, 139), 2},           // icmpTypeCodeIPv4, icmpTypeCodeIPv6
      {4, 1},                       // protocolIdentifier
      {136, 1},                     // flowEndReason
      {239, 1},                     // biflowDirection
      {58, 2},                      // vlanId: the outer one again, which nfcapd 1.7 knows
      {243, 2},                     // dot1qVlanId: the outer one
      {245, 2},                     // dot1qCustomerVlanId: the inner one
      {10, 4},                      // ingressInterface
      {152, 8},                     // flowStartMilliseconds
      {153, 8},                     // flowEndMilliseconds
      {1, 8},                       // octetDeltaCount
      {2, 8},                       // packetDeltaCount
      {1, 8, true},                 // reverseOctetDeltaCount
      {2, 8, true},                 // reversePacketDeltaCount
      // nfcapd 1.7 takes the last tcpControlBits for the client's, be they reverse or not.
      {6, 2, true},  // reverseTcpControlBits
      {6, 2},        // tcpControlBits
  });
}

constexpr auto kIpv4Elements = elements_of(false);
constexpr auto kIpv6Elements = elements_of(true);

template <std::size_t N>
constexpr std::size_t record_bytes(const std::array<Element, N>& elements) {
  std::size_t sum = 0;
  for (const Element& element : elements) sum += element.bytes;
  return sum;
}

constexpr std::size_t kIpv4RecordBytes = record_bytes(kIpv4Elements);
constexpr std::size_t kIpv6RecordBytes = record_bytes(kIpv6Elements);

// In network byte order.
template <std::unsigned_integral T>
void put(std::vector<std::byte>& out, T value) {
  for (std::size_t shift = 8 * sizeof value; shift > 0; shift -= 8)
    out.push_back(static_cast<std::byte>(value >> (shift - 8)));
}

void put_u16_at(std::vector<std::byte>& out, std::size_t at, std::size_t value) {
  out[at] = static_cast<std::byte>(value >> 8);
  out[at + 1] = static_cast<std::byte>(value);
}

template <std::size_t N>
void put_template(std::vector<std::byte>& out, std::uint16_t id,
                  const std::array<Element, N>& elements) {
  put(out, id);
  put(out, static_cast<std::uint16_t>(N));
  for (const Element& element : elements) {
    const std::uint16_t enterprise_bit = element.is_reverse ? kEnterpriseBit : 0;
    put(out, static_cast<std::uint16_t>(element.id | enterprise_bit));
    put(out, element.bytes);
    if (element.is_reverse) put(out, kReverse);
  }
}

// flowEndReason, RFC 5102 section 5.11.3.
std::uint8_t end_reason(const FlowRecord& record) {
  constexpr std::uint8_t kIdle = 1, kActive = 2, kEndDetected = 3, kForcedEnd = 4, kNoResources = 5;
  switch (record.reason) {
    case FlowReason::kInterim:
      return kActive;
    case FlowReason::kShutdown:
      return kForcedEnd;
    case FlowReason::kForced:
      return record.state == FlowState::kClosed ? kEndDetected : kNoResources;
    case FlowReason::kTimeout:
      break;
  }
  return record.state == FlowState::kClosed ? kEndDetected : kIdle;
}

bool has_ports(std::uint8_t l4_proto) {
  return l4_proto == IPPROTO_TCP || l4_proto == IPPROTO_UDP || l4_proto == IPPROTO_SCTP;
}

std::uint16_t icmp_type_code(const FlowRecord& record) {
  if (!record.icmp) return 0;
  return static_cast<std::uint16_t>(record.icmp->type << 8 | record.icmp->code);
}

std::uint64_t milliseconds(WallTime time) { return time.ns / 1'000'000; }

void put_address(std::vector<std::byte>& out, const std::uint8_t (&address)[16], bool is_ipv6) {
  for (std::size_t i = 0; i < (is_ipv6 ? 16 : 4); ++i) put(out, address[i]);
}

void put_record(std::vector<std::byte>& out, const FlowRecord& record) {
  const Ends& ends = record.ends;
  const bool is_ipv6 = ends.ip_version == 6;
  const bool ports = has_ports(ends.l4_proto);

  put_address(out, ends.client, is_ipv6);
  put_address(out, ends.server, is_ipv6);
  put(out, ports ? ends.client_port : std::uint16_t{0});
  put(out, ports ? ends.server_port : std::uint16_t{0});
  put(out, icmp_type_code(record));
  put(out, ends.l4_proto);
  put(out, end_reason(record));
  put(out, kInitiator);
  put(out, ends.vlan[0]);
  for (const std::uint16_t id : ends.vlan) put(out, id);
  put(out, record.ifindex);
  put(out, milliseconds(record.start));
  put(out, milliseconds(record.end));
  for (const std::size_t to_client : {0u, 1u}) {
    put(out, record.bytes[to_client]);
    put(out, record.packets[to_client]);
  }
  for (const std::size_t to_client : {1u, 0u}) put(out, std::uint16_t{record.tcp_flags[to_client]});
}

}  // namespace

void Message::clear() {
  bytes_.assign(kHeaderBytes, std::byte{0});
  set_id_ = 0;
  records_ = 0;
  has_templates_ = false;
}

void Message::open_set(std::uint16_t id) {
  set_start_ = bytes_.size();
  set_id_ = id;
  put(bytes_, id);
  put(bytes_, std::uint16_t{0});
}

void Message::close_set() {
  if (set_id_ == 0) return;
  put_u16_at(bytes_, set_start_ + 2, bytes_.size() - set_start_);
  set_id_ = 0;
}

void Message::append_templates() {
  assert(is_empty());
  // A set each: a collector that knows no IPv6 may skip a set, never a part of one.
  open_set(kTemplateSet);
  put_template(bytes_, kIpv4Template, kIpv4Elements);
  close_set();
  open_set(kTemplateSet);
  put_template(bytes_, kIpv6Template, kIpv6Elements);
  close_set();
  has_templates_ = true;
}

bool Message::append(const FlowRecord& record) {
  assert(record.ends.ip_version == 4 || record.ends.ip_version == 6);
  const bool is_ipv6 = record.ends.ip_version == 6;
  const std::uint16_t id = is_ipv6 ? kIpv6Template : kIpv4Template;
  const std::size_t needed =
      (is_ipv6 ? kIpv6RecordBytes : kIpv4RecordBytes) + (set_id_ == id ? 0 : kSetHeaderBytes);
  if (bytes_.size() + needed > kMaxMessageBytes) return false;

  if (set_id_ != id) {
    close_set();
    open_set(id);
  }
  put_record(bytes_, record);
  ++records_;
  return true;
}

std::span<const std::byte> Message::finish(const MessageHeader& header) {
  close_set();
  std::vector<std::byte> head;
  put(head, kVersion);
  put(head, static_cast<std::uint16_t>(bytes_.size()));
  put(head, static_cast<std::uint32_t>(header.export_time.ns / 1'000'000'000));
  put(head, header.sequence);
  put(head, header.domain);
  assert(head.size() == kHeaderBytes);
  std::memcpy(bytes_.data(), head.data(), kHeaderBytes);
  return bytes_;
}

}  // namespace nids::ipfix
