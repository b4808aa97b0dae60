// SPDX-License-Identifier: Apache-2.0
#include "flow/flow_frame.hpp"

#include <netinet/in.h>

#include <cstring>

namespace nids {
namespace {

constexpr std::uint16_t kTag = 0x8100, kIpv4 = 0x0800, kIpv6 = 0x86dd;
constexpr std::uint32_t kMacBytes = 12, kTagBytes = 4, kIpv4Bytes = 20, kIpv6Bytes = 40;

bool begins_with_ports(std::uint8_t l4_proto) {
  return l4_proto == IPPROTO_TCP || l4_proto == IPPROTO_UDP || l4_proto == IPPROTO_SCTP;
}

class Writer {
 public:
  explicit Writer(FlowFrame& frame) : frame_(frame) {}
  void skip(std::size_t bytes) { frame_.size += bytes; }
  void u8(unsigned value) { frame_.bytes[frame_.size++] = static_cast<std::uint8_t>(value); }
  void u16(unsigned value) {
    u8(value >> 8);
    u8(value & 0xff);
  }
  void address(const std::uint8_t (&bytes)[16], std::size_t length) {
    std::memcpy(&frame_.bytes[frame_.size], bytes, length);
    frame_.size += length;
  }

 private:
  FlowFrame& frame_;
};

FrameByte same(std::uint8_t value) { return {.value = value, .untold = 0}; }
FrameByte told(std::uint8_t bits = 0xff) { return {.varying = bits, .untold = 0}; }
FrameByte untold(const char* field, std::uint8_t bits = 0xff) {
  return {.untold = bits, .field = field};
}

}  // namespace

FlowFrame flow_frame(const Ends& ends, bool to_server) {
  FlowFrame frame;
  Writer write(frame);
  write.skip(kMacBytes);
  for (const std::uint16_t id : ends.vlan) {
    if (id == 0) continue;
    write.u16(kTag);
    write.u16(id);
  }
  const bool is_ipv4 = ends.ip_version == 4;
  write.u16(is_ipv4 ? kIpv4 : kIpv6);
  write.u8(is_ipv4 ? 0x45 : 0x60);
  write.skip(is_ipv4 ? 8 : 5);
  write.u8(ends.l4_proto);
  write.skip(is_ipv4 ? 2 : 1);
  const std::size_t address_bytes = is_ipv4 ? 4 : 16;
  write.address(to_server ? ends.client : ends.server, address_bytes);
  write.address(to_server ? ends.server : ends.client, address_bytes);
  if (begins_with_ports(ends.l4_proto)) {
    write.u16(to_server ? ends.client_port : ends.server_port);
    write.u16(to_server ? ends.server_port : ends.client_port);
  }
  return frame;
}

FrameLayout::FrameLayout(unsigned tags, std::uint8_t ip_version, std::uint8_t l4_proto)
    : ip_version_(ip_version),
      l4_proto_(l4_proto),
      network_(kMacBytes + tags * kTagBytes + 2),
      transport_(network_ + (ip_version == 4 ? kIpv4Bytes : kIpv6Bytes)) {
  Ends ends;
  ends.ip_version = ip_version;
  ends.l4_proto = l4_proto;
  for (unsigned tag = 0; tag < tags; ++tag) ends.vlan[tag] = 1;
  sample_ = flow_frame(ends, true);
}

FrameByte FrameLayout::at(std::uint32_t offset) const {
  if (offset < kMacBytes) return untold("MAC addresses");
  if (offset >= transport_) return transport(offset - transport_);
  if (offset >= network_) return network(offset - network_);
  const std::uint32_t in_tag = (offset - kMacBytes) % kTagBytes;
  if (in_tag == 2) return {.varying = 0x0f, .untold = 0xf0, .field = "VLAN priorities"};
  if (in_tag == 3) return told();
  return same(sample_.bytes[offset]);  // an EtherType
}

FrameByte FrameLayout::network(std::uint32_t offset) const {
  if (ip_version_ == 4) {
    if (offset >= 12) return told();
    if (offset == 0 || offset == 7 || offset == 9) return same(sample_.bytes[network_ + offset]);
    if (offset == 1) return untold("the type of service");
    if (offset <= 3) return untold("lengths");
    if (offset <= 5) return untold("the IP identification");
    if (offset == 6) return untold("fragment flags", 0xe0);  // below them the offset begins
    return untold(offset == 8 ? "the time to live" : "checksums");
  }
  if (offset >= 8) return told();
  if (offset == 0) return {.value = 0x60, .untold = 0x0f, .field = "the traffic class"};
  if (offset == 1) return untold("the traffic class");
  if (offset <= 3) return untold("the flow label");
  if (offset <= 5) return untold("lengths");
  return offset == 6 ? same(sample_.bytes[network_ + offset]) : untold("the hop limit");
}

FrameByte FrameLayout::transport(std::uint32_t offset) const {
  if (begins_with_ports(l4_proto_) && offset < 4) return told();
  switch (l4_proto_) {
    case IPPROTO_TCP:
      if (offset < 12) return untold("sequence numbers");
      if (offset == 13) return untold("TCP flags");
      return untold(offset < 20 ? "the rest of a TCP header" : "TCP options and payload");
    case IPPROTO_UDP:
      if (offset < 6) return untold("lengths");
      return untold(offset < 8 ? "checksums" : "payload");
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
      return untold(offset < 2 ? "ICMP types and codes" : "payload");
    default:
      return untold("payload");
  }
}

}  // namespace nids
