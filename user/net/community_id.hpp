// SPDX-License-Identifier: Apache-2.0
// The Community ID of a flow, by which other tools' records of it are found. Keeps no state.
#pragma once

#include <cstdint>
#include <string>

namespace nids {

// Version 1 of github.com/corelight/community-id-spec, "1:" and 28 characters; the same for both
// directions. Addresses as in the ABI: IPv4 in the first 4 bytes. For ICMP and ICMPv6 the ports
// are type and code of a packet from source to destination; protocols without ports ignore them.
// Empty where OpenSSL refuses SHA-1.
std::string community_id(const std::uint8_t (&source)[16], const std::uint8_t (&destination)[16],
                         std::uint16_t source_port, std::uint16_t destination_port,
                         std::uint8_t l4_proto, std::uint8_t ip_version, std::uint16_t seed);

}  // namespace nids
