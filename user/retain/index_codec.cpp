// SPDX-License-Identifier: Apache-2.0
#include "retain/index_codec.hpp"

#include <cstring>

namespace nids {
namespace {

constexpr std::size_t kHead = 10;  // version, protocol, two ports, two VLAN ids
constexpr unsigned kMaxShift = 63;

std::size_t address_bytes(std::uint8_t ip_version) { return ip_version == 4 ? 4 : 16; }

void put16(IndexBytes& out, std::uint16_t value) {
  out.push_back(static_cast<std::byte>(value >> 8));
  out.push_back(static_cast<std::byte>(value));
}

std::uint16_t get16(std::span<const std::byte> bytes, std::size_t at) {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes[at]) << 8 |
                                    std::to_integer<unsigned>(bytes[at + 1]));
}

}  // namespace

IndexBytes pack_ends(const Ends& ends) {
  IndexBytes out;
  if (ends.ip_version != 4 && ends.ip_version != 6) return out;
  const std::size_t bytes = address_bytes(ends.ip_version);
  out.reserve(kHead + 2 * bytes);
  out.push_back(static_cast<std::byte>(ends.ip_version));
  out.push_back(static_cast<std::byte>(ends.l4_proto));
  for (const std::uint16_t one : {ends.client_port, ends.server_port, ends.vlan[0], ends.vlan[1]})
    put16(out, one);
  for (const auto& address : {std::span(ends.client), std::span(ends.server)}) {
    const auto part = std::as_bytes(address).first(bytes);
    out.insert(out.end(), part.begin(), part.end());
  }
  return out;
}

std::optional<Ends> unpack_ends(std::span<const std::byte> bytes) {
  Ends ends;
  if (bytes.empty()) return ends;
  ends.ip_version = std::to_integer<std::uint8_t>(bytes[0]);
  if (ends.ip_version != 4 && ends.ip_version != 6) return std::nullopt;
  const std::size_t address = address_bytes(ends.ip_version);
  if (bytes.size() != kHead + 2 * address) return std::nullopt;
  ends.l4_proto = std::to_integer<std::uint8_t>(bytes[1]);
  ends.client_port = get16(bytes, 2);
  ends.server_port = get16(bytes, 4);
  ends.vlan[0] = get16(bytes, 6);
  ends.vlan[1] = get16(bytes, 8);
  std::memcpy(ends.client, bytes.data() + kHead, address);
  std::memcpy(ends.server, bytes.data() + kHead + address, address);
  return ends;
}

IndexBytes pack_offsets(std::span<const std::uint64_t> offsets) {
  IndexBytes out;
  std::uint64_t before = 0;
  for (const std::uint64_t offset : offsets) {
    std::uint64_t difference = offset - before;
    before = offset;
    for (; difference > 0x7f; difference >>= 7)
      out.push_back(static_cast<std::byte>(difference | 0x80));
    out.push_back(static_cast<std::byte>(difference));
  }
  return out;
}

std::optional<std::vector<std::uint64_t>> unpack_offsets(std::span<const std::byte> bytes) {
  std::vector<std::uint64_t> offsets;
  std::uint64_t offset = 0, difference = 0;
  unsigned shift = 0;
  for (const std::byte byte : bytes) {
    if (shift >= kMaxShift) return std::nullopt;
    difference |= (std::to_integer<std::uint64_t>(byte) & 0x7f) << shift;
    shift += 7;
    if ((byte & std::byte{0x80}) != std::byte{}) continue;
    offset += difference;
    offsets.push_back(offset);
    difference = 0;
    shift = 0;
  }
  return shift == 0 ? std::optional(std::move(offsets)) : std::nullopt;
}

}  // namespace nids
