// SPDX-License-Identifier: Apache-2.0
// The flags of a TCP header, RFC 9293 section 3.1. Holds no state.
#pragma once

#include <cstdint>

namespace nids {

inline constexpr std::uint8_t kTcpFin = 0x01;
inline constexpr std::uint8_t kTcpSyn = 0x02;
inline constexpr std::uint8_t kTcpRst = 0x04;
inline constexpr std::uint8_t kTcpPush = 0x08;
inline constexpr std::uint8_t kTcpAck = 0x10;
inline constexpr std::uint8_t kTcpCwr = 0x80;

}  // namespace nids
