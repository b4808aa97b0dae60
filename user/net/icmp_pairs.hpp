// SPDX-License-Identifier: Apache-2.0
// ICMP and ICMPv6 types in pairs: each request and its reply. Holds no state.
#pragma once

#include <netinet/in.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

namespace nids {

using IcmpTypePair = std::pair<std::uint8_t, std::uint8_t>;

// The pairs of Zeek: RFC 792, 950, 1256.
inline constexpr std::array<IcmpTypePair, 5> kIcmpPairs{
    {{8, 0}, {13, 14}, {15, 16}, {10, 9}, {17, 18}}};
// RFC 4443, 2710, 4861, 4620, 6275.
inline constexpr std::array<IcmpTypePair, 6> kIcmpv6Pairs{
    {{128, 129}, {130, 131}, {133, 134}, {135, 136}, {139, 140}, {144, 145}}};

// The other type of the pair; none if the type is in no pair.
constexpr std::optional<std::uint8_t> other_icmp_type(std::uint8_t l4_proto, std::uint16_t type) {
  const auto pairs = l4_proto == IPPROTO_ICMP ? std::span<const IcmpTypePair>{kIcmpPairs}
                                              : std::span<const IcmpTypePair>{kIcmpv6Pairs};
  for (const auto& [request, reply] : pairs) {
    if (type == request) return reply;
    if (type == reply) return request;
  }
  return std::nullopt;
}

}  // namespace nids
