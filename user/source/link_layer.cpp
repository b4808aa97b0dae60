// SPDX-License-Identifier: Apache-2.0
#include "source/link_layer.hpp"

#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <pcap/dlt.h>

namespace nids {
namespace {

using Frame = std::span<const std::byte>;

// DLT_RAW differs by system, and libpcap maps only some of its values.
constexpr int kRawOfOpenBsd = 14;
constexpr int kLinktypeRaw = 101;

constexpr std::uint8_t kPppAddress = 0xff;  // RFC 1662 section 3.1
constexpr std::uint8_t kPppControl = 0x03;
constexpr std::uint8_t kCiscoUnicast = 0x0f;  // RFC 1547 section 4.3.1
constexpr std::uint8_t kCiscoMulticast = 0x8f;

std::uint8_t u8(Frame frame, std::size_t at) { return std::to_integer<std::uint8_t>(frame[at]); }

std::uint16_t be16(Frame frame, std::size_t at) {
  return static_cast<std::uint16_t>(u8(frame, at) << 8 | u8(frame, at + 1));
}

std::optional<LinkLayer> raw_ip(Frame frame) {
  if (frame.empty()) return std::nullopt;
  switch (u8(frame, 0) >> 4) {
    case 4:
      return LinkLayer{.ether_type = ETH_P_IP};
    case 6:
      return LinkLayer{.ether_type = ETH_P_IPV6};
    default:
      return LinkLayer{};
  }
}

// The writer's byte order is not known, but no address family needs more than 16 bits.
std::optional<LinkLayer> loopback(Frame frame) {
  if (frame.size() < 4) return std::nullopt;
  const unsigned high = be16(frame, 0);
  const unsigned low = be16(frame, 2);
  const unsigned family = high == 0 ? low : low == 0 ? (high >> 8 | (high & 0xffu) << 8) : 0;
  LinkLayer layer{.offset = 4};
  switch (family) {
    case 2:
      layer.ether_type = ETH_P_IP;
      break;
    case 10:  // AF_INET6 of Linux, of NetBSD and OpenBSD, of FreeBSD, of macOS
    case 24:
    case 28:
    case 30:
      layer.ether_type = ETH_P_IPV6;
      break;
    default:
      break;
  }
  return layer;
}

// On these devices the protocol field holds no EtherType.
bool has_ether_type(std::uint16_t hardware_type) {
  return hardware_type != ARPHRD_NETLINK && hardware_type != ARPHRD_FRAD &&
         hardware_type != ARPHRD_IEEE80211_RADIOTAP;
}

std::optional<LinkLayer> linux_cooked(Frame frame, std::size_t header_bytes,
                                      std::size_t hardware_at, std::size_t protocol_at) {
  if (frame.size() < header_bytes) return std::nullopt;
  LinkLayer layer{.offset = header_bytes};
  if (has_ether_type(be16(frame, hardware_at))) layer.ether_type = be16(frame, protocol_at);
  return layer;
}

std::optional<LinkLayer> ppp(Frame frame) {
  std::size_t at = 0;
  if (frame.size() >= 2 && u8(frame, 0) == kPppAddress && u8(frame, 1) == kPppControl) at = 2;
  if (frame.size() < at + 1) return std::nullopt;
  std::uint16_t protocol = u8(frame, at);
  std::size_t protocol_bytes = 1;
  if (protocol % 2 == 0) {  // only the last byte of a protocol is odd, RFC 1661 section 2
    if (frame.size() < at + 2) return std::nullopt;
    protocol = be16(frame, at);
    protocol_bytes = 2;
  }
  LinkLayer layer{.offset = at + protocol_bytes};
  if (protocol == 0x0021) layer.ether_type = ETH_P_IP;
  if (protocol == 0x0057) layer.ether_type = ETH_P_IPV6;
  return layer;
}

std::optional<LinkLayer> ppp_serial(Frame frame) {
  if (frame.empty()) return std::nullopt;
  const std::uint8_t first = u8(frame, 0);
  if (first != kCiscoUnicast && first != kCiscoMulticast) return ppp(frame);
  if (frame.size() < 4) return std::nullopt;
  return LinkLayer{.ether_type = be16(frame, 2), .offset = 4};
}

}  // namespace

bool link_type_taken(int dlt) {
  switch (dlt) {
    case DLT_EN10MB:
    case DLT_RAW:
    case kRawOfOpenBsd:
    case kLinktypeRaw:
    case DLT_IPV4:
    case DLT_IPV6:
    case DLT_NULL:
    case DLT_LOOP:
    case DLT_LINUX_SLL:
    case DLT_LINUX_SLL2:
    case DLT_PPP:
    case DLT_PPP_SERIAL:
      return true;
    default:
      return false;
  }
}

std::optional<LinkLayer> link_layer(int dlt, std::span<const std::byte> frame) {
  switch (dlt) {
    case DLT_EN10MB:
      return LinkLayer{.ethernet = true};
    case DLT_RAW:
    case kRawOfOpenBsd:
    case kLinktypeRaw:
    case DLT_IPV4:
    case DLT_IPV6:
      return raw_ip(frame);
    case DLT_NULL:
    case DLT_LOOP:
      return loopback(frame);
    case DLT_LINUX_SLL:
      return linux_cooked(frame, 16, 2, 14);
    case DLT_LINUX_SLL2:
      return linux_cooked(frame, 20, 8, 0);
    case DLT_PPP:
      return ppp(frame);
    case DLT_PPP_SERIAL:
      return ppp_serial(frame);
    default:
      return std::nullopt;
  }
}

}  // namespace nids
