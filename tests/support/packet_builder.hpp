// SPDX-License-Identifier: Apache-2.0
// Says packets in words. Owns the bytes of one frame, right in every length and checksum unless
// told to lie in a field; never looks at what the parser under test would make of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace nids {

using Bytes = std::vector<std::byte>;

inline constexpr std::uint16_t kEtherIpv4 = 0x0800;
inline constexpr std::uint16_t kEtherArp = 0x0806;
inline constexpr std::uint16_t kEtherVlan = 0x8100;
inline constexpr std::uint16_t kEtherIpv6 = 0x86dd;
inline constexpr std::uint16_t kEtherQinq = 0x88a8;
inline constexpr std::uint16_t kEtherMpls = 0x8847;
inline constexpr std::uint16_t kEtherMplsMulticast = 0x8848;
inline constexpr std::uint16_t kEtherPppoeSession = 0x8864;
inline constexpr std::uint16_t kEtherBridged = 0x6558;  // an Ethernet frame, in GRE or Geneve

inline constexpr std::uint16_t kVxlanPort = 4789;
inline constexpr std::uint16_t kGenevePort = 6081;

inline constexpr std::uint8_t kProtoHopByHop = 0;
inline constexpr std::uint8_t kProtoIcmp = 1;
inline constexpr std::uint8_t kProtoIgmp = 2;
inline constexpr std::uint8_t kProtoIpv4 = 4;
inline constexpr std::uint8_t kProtoTcp = 6;
inline constexpr std::uint8_t kProtoUdp = 17;
inline constexpr std::uint8_t kProtoIpv6 = 41;
inline constexpr std::uint8_t kProtoRouting = 43;
inline constexpr std::uint8_t kProtoFragment = 44;
inline constexpr std::uint8_t kProtoGre = 47;
inline constexpr std::uint8_t kProtoAh = 51;
inline constexpr std::uint8_t kProtoIcmpv6 = 58;
inline constexpr std::uint8_t kProtoNoNext = 59;
inline constexpr std::uint8_t kProtoDestination = 60;
inline constexpr std::uint8_t kProtoOspf = 89;
inline constexpr std::uint8_t kProtoSctp = 132;
inline constexpr std::uint8_t kProtoMobility = 135;
inline constexpr std::uint8_t kProtoHip = 139;
inline constexpr std::uint8_t kProtoShim6 = 140;
inline constexpr std::uint8_t kProtoExperiment = 253;  // RFC 3692: of a packet that says no other

inline constexpr std::uint8_t kTcpFin = 0x01;
inline constexpr std::uint8_t kTcpSyn = 0x02;
inline constexpr std::uint8_t kTcpRst = 0x04;
inline constexpr std::uint8_t kTcpPsh = 0x08;
inline constexpr std::uint8_t kTcpAck = 0x10;
inline constexpr std::uint8_t kTcpUrg = 0x20;
inline constexpr std::uint8_t kTcpEce = 0x40;
inline constexpr std::uint8_t kTcpCwr = 0x80;

inline constexpr std::uint8_t kIcmpEchoReply = 0;
inline constexpr std::uint8_t kIcmpUnreachable = 3;
inline constexpr std::uint8_t kIcmpSourceQuench = 4;
inline constexpr std::uint8_t kIcmpRedirect = 5;
inline constexpr std::uint8_t kIcmpEcho = 8;
inline constexpr std::uint8_t kIcmpTimeExceeded = 11;
inline constexpr std::uint8_t kIcmpParameter = 12;
inline constexpr std::uint8_t kIcmpTimestamp = 13;
inline constexpr std::uint8_t kIcmpv6Unreachable = 1;
inline constexpr std::uint8_t kIcmpv6PacketTooBig = 2;
inline constexpr std::uint8_t kIcmpv6Echo = 128;
inline constexpr std::uint8_t kIcmpv6EchoReply = 129;

// A std::optional field is right by itself; given a value, it says that and nothing else changes.
struct EthFields {
  std::string dst = "02:00:00:00:00:02";
  std::string src = "02:00:00:00:00:01";
  std::optional<std::uint16_t> ether_type{};
};

struct VlanFields {
  std::uint16_t tag_type = kEtherVlan;  // the EtherType before the tag
  std::uint8_t priority = 0;
  std::optional<std::uint16_t> ether_type{};
};

struct ArpFields {
  std::uint16_t operation = 1;
  std::uint8_t hardware_len = 6;  // bytes; the packet always has the addresses of Ethernet and IPv4
  std::uint8_t protocol_len = 4;
};

struct Ipv4Fields {
  std::string src = "10.0.0.1";
  std::string dst = "10.0.0.2";
  std::optional<std::uint8_t> protocol{};
  std::uint8_t ttl = 64;
  std::uint16_t id = 1;
  bool dont_fragment = false;
  bool more_fragments = false;
  std::uint32_t fragment_offset_bytes = 0;
  std::vector<std::uint8_t> options{};  // padded to whole words
  std::optional<std::uint8_t> version{};
  std::optional<std::uint8_t> ihl_words{};
  std::optional<std::uint16_t> total_len{};
  std::optional<std::uint16_t> checksum{};
};

struct Ipv6Fields {
  std::string src = "2001:db8::1";
  std::string dst = "2001:db8::2";
  std::optional<std::uint8_t> next_header{};
  std::uint8_t hop_limit = 64;
  std::optional<std::uint8_t> version{};
  std::optional<std::uint16_t> payload_len{};
};

struct ExtensionFields {
  std::size_t body_bytes = 6;  // after the two first, filled with PadN; 6, 14, 22...
  std::optional<std::uint8_t> next_header{};
  std::optional<std::uint8_t> len{};  // in 8 bytes beyond the first 8
  // Of a routing header: its type and one segment left, in place of the PadN.
  std::optional<std::uint8_t> routing_type{};
};

struct FragmentFields {
  std::uint32_t offset_bytes = 0;
  bool more_fragments = false;
  std::uint32_t id = 1;
  std::uint8_t reserved = 0;
  std::optional<std::uint8_t> next_header{};
};

struct AhFields {
  std::size_t icv_bytes = 12;
  std::optional<std::uint8_t> next_header{};
  std::optional<std::uint8_t> len{};  // in 4 bytes, less 2
};

struct TcpFields {
  std::uint16_t src_port = 40'000;
  std::uint16_t dst_port = 80;
  std::uint32_t seq = 1;
  std::uint32_t ack = 0;
  std::uint8_t flags = kTcpAck;
  std::uint16_t window = 65'535;
  std::vector<std::uint8_t> options{};  // padded to whole words
  std::optional<std::uint8_t> data_offset_words{};
  std::optional<std::uint16_t> checksum{};
};

struct UdpFields {
  std::uint16_t src_port = 40'000;
  std::uint16_t dst_port = 53;
  std::optional<std::uint16_t> len{};
  std::optional<std::uint16_t> checksum{};
};

struct SctpFields {
  std::uint16_t src_port = 40'000;
  std::uint16_t dst_port = 2905;
  std::uint32_t tag = 1;
  std::optional<std::uint32_t> checksum{};
};

// ICMP and ICMPv6; `id` and `seq` are the second word of every message.
struct IcmpFields {
  std::uint8_t type = kIcmpEcho;
  std::uint8_t code = 0;
  std::uint16_t id = 7;
  std::uint16_t seq = 1;
  std::optional<std::uint16_t> checksum{};
};

struct IgmpFields {
  std::uint8_t type = 0x16;  // report, version 2
  std::string group = "224.0.0.251";
};

// RFC 2784, RFC 2890.
struct GreFields {
  bool has_checksum = false;
  std::optional<std::uint32_t> key{};
  std::optional<std::uint32_t> sequence{};
  std::optional<std::uint16_t> protocol{};
  std::uint16_t more_flags = 0;  // beside those of the words that are there
};

struct VxlanFields {
  std::uint32_t vni = 100;
  std::uint8_t flags = 0x08;  // RFC 7348: the identifier is valid
};

struct GeneveFields {
  std::uint32_t vni = 100;
  std::uint8_t version = 0;
  std::uint8_t option_words = 0;  // said, and there
  std::optional<std::uint16_t> protocol{};
};

struct MplsFields {
  std::uint32_t label = 16;
  std::optional<bool> is_bottom{};
};

// RFC 2516 section 4, with the protocol number of PPP.
struct PppoeFields {
  std::uint16_t session = 1;
  std::optional<std::uint16_t> len{};
};

class PacketBuilder {
 public:
  PacketBuilder& eth(EthFields fields = {}) { return add(std::move(fields)); }
  PacketBuilder& vlan(std::uint16_t id, VlanFields fields = {}) { return add(Vlan{id, fields}); }
  PacketBuilder& arp(ArpFields fields = {}) { return add(fields); }
  PacketBuilder& ipv4(Ipv4Fields fields = {}) { return add(std::move(fields)); }
  PacketBuilder& ipv6(Ipv6Fields fields = {}) { return add(std::move(fields)); }
  PacketBuilder& extension(std::uint8_t protocol, ExtensionFields fields = {}) {
    return add(Extension{protocol, fields});
  }
  PacketBuilder& fragment(FragmentFields fields = {}) { return add(fields); }
  PacketBuilder& ah(AhFields fields = {}) { return add(fields); }
  PacketBuilder& tcp(TcpFields fields = {}) { return add(std::move(fields)); }
  PacketBuilder& udp(UdpFields fields = {}) { return add(fields); }
  PacketBuilder& sctp(SctpFields fields = {}) { return add(fields); }
  PacketBuilder& icmp(IcmpFields fields = {}) { return add(Icmp{kProtoIcmp, fields}); }
  PacketBuilder& icmpv6(IcmpFields fields = {.type = kIcmpv6Echo}) {
    return add(Icmp{kProtoIcmpv6, fields});
  }
  PacketBuilder& igmp(IgmpFields fields = {}) { return add(std::move(fields)); }
  PacketBuilder& gre(GreFields fields = {}) { return add(fields); }
  PacketBuilder& vxlan(VxlanFields fields = {}) { return add(fields); }
  PacketBuilder& geneve(GeneveFields fields = {}) { return add(fields); }
  PacketBuilder& mpls(MplsFields fields = {}) { return add(fields); }
  PacketBuilder& pppoe(PppoeFields fields = {}) { return add(fields); }
  PacketBuilder& payload(std::string_view text);
  PacketBuilder& payload_bytes(std::size_t count);  // of 'x'

  // Of the whole frame, after everything else: zeros up to a length, then a cut.
  PacketBuilder& padded_to(std::size_t bytes) { return pad_to_ = bytes, *this; }
  PacketBuilder& truncated_to(std::size_t bytes) { return cut_to_ = bytes, *this; }

  Bytes bytes() const;

 private:
  struct Vlan {
    std::uint16_t id;
    VlanFields fields;
  };
  struct Extension {
    std::uint8_t protocol;
    ExtensionFields fields;
  };
  struct Icmp {
    std::uint8_t protocol;
    IcmpFields fields;
  };
  using Layer =
      std::variant<EthFields, Vlan, ArpFields, Ipv4Fields, Ipv6Fields, Extension, FragmentFields,
                   AhFields, TcpFields, UdpFields, SctpFields, Icmp, IgmpFields, GreFields,
                   VxlanFields, GeneveFields, MplsFields, PppoeFields, Bytes>;
  struct Emit;

  PacketBuilder& add(Layer layer) { return layers_.push_back(std::move(layer)), *this; }

  std::vector<Layer> layers_;  // outermost first
  std::optional<std::size_t> pad_to_;
  std::optional<std::size_t> cut_to_;
};

}  // namespace nids
