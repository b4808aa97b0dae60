// SPDX-License-Identifier: Apache-2.0
#include "decode/packet.hpp"

#include <arpa/inet.h>

#include <algorithm>

namespace nids {

std::span<const std::byte> Packet::payload() const {
  const std::size_t offset = headers.payload_offset;
  if (offset == 0 || offset >= bytes.size()) return {};
  const std::size_t captured = bytes.size() - offset;
  return {bytes.data() + offset, std::min<std::size_t>(headers.payload_len, captured)};
}

std::string address_text(const std::uint8_t (&address)[16], std::uint8_t ip_version) {
  char text[INET6_ADDRSTRLEN];
  if (ip_version != 4 && ip_version != 6) return {};
  return inet_ntop(ip_version == 4 ? AF_INET : AF_INET6, address, text, sizeof(text));
}

}  // namespace nids
