// SPDX-License-Identifier: Apache-2.0
#include "support/packet_builder.hpp"

#include <arpa/inet.h>

#include <array>
#include <cassert>
#include <charconv>
#include <cstring>

namespace nids {
namespace {

constexpr std::size_t kWordBytes = 4;
constexpr std::uint8_t kPadN = 1;  // RFC 8200 section 4.2

// Bytes in network order, as they are written. What grows it is not inlined: g++ 12 then sees
// overflows in std::vector that are not there.
class Writer {
 public:
  [[gnu::noinline]] Writer& u8(std::uint32_t value) {
    bytes_.push_back(static_cast<std::byte>(value & 0xff));
    return *this;
  }
  Writer& u16(std::uint32_t value) { return u8(value >> 8).u8(value); }
  Writer& u32(std::uint32_t value) { return u16(value >> 16).u16(value); }
  [[gnu::noinline]] Writer& zeros(std::size_t count) {
    bytes_.resize(bytes_.size() + count);
    return *this;
  }
  [[gnu::noinline]] Writer& append(std::span<const std::byte> more) {
    bytes_.insert(bytes_.end(), more.begin(), more.end());
    return *this;
  }
  Writer& words(std::span<const std::uint8_t> values) {
    append(std::as_bytes(values));
    return zeros((kWordBytes - values.size() % kWordBytes) % kWordBytes);
  }
  void set_u16(std::size_t at, std::uint16_t value) {
    bytes_[at] = static_cast<std::byte>(value >> 8);
    bytes_[at + 1] = static_cast<std::byte>(value & 0xff);
  }
  const Bytes& bytes() const { return bytes_; }
  Bytes take() { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

Bytes mac_address(std::string_view text) {
  Writer out;
  for (std::size_t at = 0; at + 2 <= text.size(); at += 3) {
    unsigned value = 0;
    std::from_chars(text.data() + at, text.data() + at + 2, value, 16);
    out.u8(value);
  }
  assert(out.bytes().size() == 6);
  return out.take();
}

Bytes ip_address(int family, const std::string& text) {
  Bytes out(family == AF_INET ? 4 : 16);
  [[maybe_unused]] const int parsed = inet_pton(family, text.c_str(), out.data());
  assert(parsed == 1);
  return out;
}

// RFC 1071.
std::uint16_t internet_checksum(std::span<const std::byte> bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    sum += std::to_integer<std::uint32_t>(bytes[i]) << (i % 2 == 0 ? 8 : 0);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

// CRC32c, RFC 9260 appendix A.
std::uint32_t sctp_checksum(std::span<const std::byte> bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const std::byte byte : bytes) {
    crc ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78 : 0);
  }
  return htonl(~crc);  // the one field on the wire with its low byte first
}

std::uint32_t field(std::size_t value) { return static_cast<std::uint32_t>(value); }

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

}  // namespace

// One layer over the bytes of those behind it.
struct PacketBuilder::Emit {
  const std::vector<Layer>& layers;
  std::size_t index;
  const Bytes& behind;

  const Layer* next() const { return index + 1 < layers.size() ? &layers[index + 1] : nullptr; }

  std::uint16_t next_ether_type() const {
    if (next() == nullptr) return 0;
    return std::visit(Overloaded{[](const Vlan& vlan) { return vlan.fields.tag_type; },
                                 [](const ArpFields&) { return kEtherArp; },
                                 [](const Ipv4Fields&) { return kEtherIpv4; },
                                 [](const Ipv6Fields&) { return kEtherIpv6; },
                                 [](const MplsFields&) { return kEtherMpls; },
                                 [](const PppoeFields&) { return kEtherPppoeSession; },
                                 [](const EthFields&) { return kEtherBridged; },
                                 [](const auto&) { return std::uint16_t{}; }},
                      *next());
  }

  template <class T>
  bool next_is() const {
    return next() != nullptr && std::holds_alternative<T>(*next());
  }

  std::uint8_t next_protocol() const {
    if (next() == nullptr) return kProtoExperiment;
    return std::visit(Overloaded{[](const Ipv4Fields&) { return kProtoIpv4; },
                                 [](const Ipv6Fields&) { return kProtoIpv6; },
                                 [](const Extension& extension) { return extension.protocol; },
                                 [](const FragmentFields&) { return kProtoFragment; },
                                 [](const AhFields&) { return kProtoAh; },
                                 [](const TcpFields&) { return kProtoTcp; },
                                 [](const UdpFields&) { return kProtoUdp; },
                                 [](const SctpFields&) { return kProtoSctp; },
                                 [](const Icmp& icmp) { return icmp.protocol; },
                                 [](const IgmpFields&) { return kProtoIgmp; },
                                 [](const GreFields&) { return kProtoGre; },
                                 [](const auto&) { return kProtoExperiment; }},
                      *next());
  }

  // Over the addresses of the innermost IP header before this layer, RFC 8200 section 8.1.
  std::uint16_t transport_checksum(std::uint8_t protocol,
                                   std::span<const std::byte> segment) const {
    Writer pseudo;
    for (std::size_t i = index; i-- > 0;) {
      if (const auto* v4 = std::get_if<Ipv4Fields>(&layers[i])) {
        pseudo.append(ip_address(AF_INET, v4->src)).append(ip_address(AF_INET, v4->dst));
        break;
      }
      if (const auto* v6 = std::get_if<Ipv6Fields>(&layers[i])) {
        pseudo.append(ip_address(AF_INET6, v6->src)).append(ip_address(AF_INET6, v6->dst));
        break;
      }
    }
    pseudo.u32(field(segment.size())).u32(protocol).append(segment);
    return internet_checksum(pseudo.bytes());
  }

  Bytes operator()(const EthFields& f) const {
    return Writer{}
        .append(mac_address(f.dst))
        .append(mac_address(f.src))
        .u16(f.ether_type.value_or(next_ether_type()))
        .append(behind)
        .take();
  }

  Bytes operator()(const Vlan& vlan) const {
    return Writer{}
        .u16(field(vlan.fields.priority) << 13 | (vlan.id & 0x0fffu))
        .u16(vlan.fields.ether_type.value_or(next_ether_type()))
        .append(behind)
        .take();
  }

  Bytes operator()(const ArpFields& f) const {
    Writer out;
    out.u16(1).u16(kEtherIpv4).u8(f.hardware_len).u8(f.protocol_len).u16(f.operation);
    out.append(mac_address("02:00:00:00:00:01")).append(ip_address(AF_INET, "10.0.0.1"));
    out.zeros(6).append(ip_address(AF_INET, "10.0.0.2"));
    return out.append(behind).take();
  }

  Bytes operator()(const Ipv4Fields& f) const {
    const Bytes options = Writer{}.words(f.options).take();
    const std::size_t header_bytes = 20 + options.size();
    const std::uint32_t fragment = (f.dont_fragment ? 0x4000u : 0) |
                                   (f.more_fragments ? 0x2000u : 0) |
                                   (f.fragment_offset_bytes / 8 & 0x1fff);
    Writer out;
    out.u8(field(f.version.value_or(4)) << 4 |
           (f.ihl_words.value_or(static_cast<std::uint8_t>(header_bytes / kWordBytes)) & 0x0fu));
    out.u8(0).u16(f.total_len.value_or(static_cast<std::uint16_t>(header_bytes + behind.size())));
    out.u16(f.id).u16(fragment).u8(f.ttl).u8(f.protocol.value_or(next_protocol())).u16(0);
    out.append(ip_address(AF_INET, f.src)).append(ip_address(AF_INET, f.dst)).append(options);
    out.set_u16(10, f.checksum.value_or(internet_checksum(out.bytes())));
    return out.append(behind).take();
  }

  Bytes operator()(const Ipv6Fields& f) const {
    Writer out;
    out.u32(field(f.version.value_or(6)) << 28);
    out.u16(f.payload_len.value_or(static_cast<std::uint16_t>(behind.size())));
    out.u8(f.next_header.value_or(next_protocol())).u8(f.hop_limit);
    out.append(ip_address(AF_INET6, f.src)).append(ip_address(AF_INET6, f.dst));
    return out.append(behind).take();
  }

  Bytes operator()(const Extension& extension) const {
    const ExtensionFields& f = extension.fields;
    Writer out;
    out.u8(f.next_header.value_or(next_protocol()));
    out.u8(f.len.value_or(static_cast<std::uint8_t>((f.body_bytes + 2) / 8 - 1)));
    if (f.routing_type)
      out.u8(*f.routing_type).u8(1).zeros(f.body_bytes - 2);
    else if (f.body_bytes >= 2)
      out.u8(kPadN).u8(field(f.body_bytes - 2)).zeros(f.body_bytes - 2);
    return out.append(behind).take();
  }

  Bytes operator()(const FragmentFields& f) const {
    return Writer{}
        .u8(f.next_header.value_or(next_protocol()))
        .u8(f.reserved)
        .u16((f.offset_bytes & 0xfff8) | (f.more_fragments ? 1u : 0))
        .u32(f.id)
        .append(behind)
        .take();
  }

  Bytes operator()(const AhFields& f) const {
    Writer out;
    out.u8(f.next_header.value_or(next_protocol()));
    out.u8(f.len.value_or(static_cast<std::uint8_t>((12 + f.icv_bytes) / kWordBytes - 2)));
    return out.u16(0).u32(0x100).u32(1).zeros(f.icv_bytes).append(behind).take();
  }

  Bytes operator()(const TcpFields& f) const {
    const Bytes options = Writer{}.words(f.options).take();
    const auto words = static_cast<std::uint8_t>(5 + options.size() / kWordBytes);
    Writer out;
    out.u16(f.src_port).u16(f.dst_port).u32(f.seq).u32(f.ack);
    out.u8(field(f.data_offset_words.value_or(words)) << 4).u8(f.flags).u16(f.window);
    out.u16(0).u16(0).append(options).append(behind);
    out.set_u16(16, f.checksum.value_or(transport_checksum(kProtoTcp, out.bytes())));
    return out.take();
  }

  Bytes operator()(const UdpFields& f) const {
    Writer out;
    out.u16(f.src_port).u16(f.dst_port);
    out.u16(f.len.value_or(static_cast<std::uint16_t>(8 + behind.size()))).u16(0).append(behind);
    const std::uint16_t sum = transport_checksum(kProtoUdp, out.bytes());
    out.set_u16(6, f.checksum.value_or(sum == 0 ? 0xffff : sum));  // 0 says "none", RFC 768
    return out.take();
  }

  Bytes operator()(const SctpFields& f) const {
    const auto with = [&](std::uint32_t checksum) {
      Writer out;
      out.u16(f.src_port).u16(f.dst_port).u32(f.tag).u32(checksum);
      return out.append(behind).take();
    };
    return with(f.checksum.value_or(sctp_checksum(with(0))));
  }

  Bytes operator()(const Icmp& icmp) const {
    const IcmpFields& f = icmp.fields;
    Writer out;
    out.u8(f.type).u8(f.code).u16(0).u16(f.id).u16(f.seq).append(behind);
    const std::uint16_t sum = icmp.protocol == kProtoIcmp
                                  ? internet_checksum(out.bytes())
                                  : transport_checksum(kProtoIcmpv6, out.bytes());
    out.set_u16(2, f.checksum.value_or(sum));
    return out.take();
  }

  Bytes operator()(const IgmpFields& f) const {
    Writer out;
    out.u8(f.type).u8(0).u16(0).append(ip_address(AF_INET, f.group));
    out.set_u16(2, internet_checksum(out.bytes()));
    return out.append(behind).take();
  }

  Bytes operator()(const GreFields& f) const {
    Writer out;
    out.u16((f.has_checksum ? 0x8000u : 0) | (f.key ? 0x2000u : 0) | (f.sequence ? 0x1000u : 0) |
            f.more_flags);
    out.u16(f.protocol.value_or(next_ether_type()));
    if (f.has_checksum) out.u32(0);
    if (f.key) out.u32(*f.key);
    if (f.sequence) out.u32(*f.sequence);
    out.append(behind);
    if (f.has_checksum) out.set_u16(4, internet_checksum(out.bytes()));
    return out.take();
  }

  Bytes operator()(const VxlanFields& f) const {
    return Writer{}.u8(f.flags).zeros(3).u32(f.vni << 8).append(behind).take();
  }

  Bytes operator()(const GeneveFields& f) const {
    Writer out;
    out.u8(field(f.version) << 6 | f.option_words).u8(0);
    out.u16(f.protocol.value_or(next_ether_type())).u32(f.vni << 8);
    return out.zeros(f.option_words * kWordBytes).append(behind).take();
  }

  Bytes operator()(const MplsFields& f) const {
    const bool is_bottom = f.is_bottom.value_or(!next_is<MplsFields>());
    return Writer{}.u32(f.label << 12 | (is_bottom ? 0x100u : 0) | 64).append(behind).take();
  }

  Bytes operator()(const PppoeFields& f) const {
    Writer out;
    out.u8(0x11).u8(0).u16(f.session);
    out.u16(f.len.value_or(static_cast<std::uint16_t>(2 + behind.size())));
    return out.u16(next_is<Ipv6Fields>() ? 0x0057 : 0x0021).append(behind).take();
  }

  Bytes operator()(const Bytes& payload) const {
    return Writer{}.append(payload).append(behind).take();
  }
};

PacketBuilder& PacketBuilder::payload(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return add(Bytes(bytes.begin(), bytes.end()));
}

PacketBuilder& PacketBuilder::payload_bytes(std::size_t count) {
  return add(Bytes(count, std::byte{'x'}));
}

Bytes PacketBuilder::bytes() const {
  Bytes frame;
  for (std::size_t i = layers_.size(); i-- > 0;)
    frame = std::visit(Emit{layers_, i, frame}, layers_[i]);
  if (pad_to_ && frame.size() < *pad_to_) frame.resize(*pad_to_);
  if (cut_to_ && frame.size() > *cut_to_) frame.resize(*cut_to_);
  return frame;
}

}  // namespace nids
