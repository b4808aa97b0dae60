// SPDX-License-Identifier: Apache-2.0
#include "flow/community_id.hpp"

#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <array>
#include <cstring>
#include <span>
#include <utility>

namespace nids {
namespace {

struct Side {
  std::span<const std::uint8_t> address;
  std::uint16_t port;
};

using TypePair = std::pair<std::uint8_t, std::uint8_t>;

// Requests and their replies, as Zeek pairs them: RFC 792, 950, 1256.
constexpr std::array<TypePair, 5> kIcmpPairs{{{8, 0}, {13, 14}, {15, 16}, {10, 9}, {17, 18}}};
// RFC 4443, 2710, 4861, 4620, 6275.
constexpr std::array<TypePair, 6> kIcmpv6Pairs{
    {{128, 129}, {130, 131}, {133, 134}, {135, 136}, {139, 140}, {144, 145}}};

// The type that answers `type`, or -1 where nothing does.
int answer_to(std::span<const TypePair> pairs, std::uint16_t type) {
  for (const auto& [request, reply] : pairs) {
    if (type == request) return reply;
    if (type == reply) return request;
  }
  return -1;
}

bool comes_first(const Side& a, const Side& b) {
  const int order = std::memcmp(a.address.data(), b.address.data(), a.address.size());
  return order < 0 || (order == 0 && a.port < b.port);
}

// What is hashed: at most seed, two IPv6 addresses, protocol, a zero and two ports.
class HashInput {
 public:
  void add(std::uint8_t byte) { bytes_[size_++] = byte; }
  void add(std::uint16_t value) {
    add(static_cast<std::uint8_t>(value >> 8));
    add(static_cast<std::uint8_t>(value));
  }
  void add(std::span<const std::uint8_t> bytes) {
    for (const std::uint8_t byte : bytes) add(byte);
  }
  std::string version_1() const {
    std::uint8_t digest[SHA_DIGEST_LENGTH];
    if (EVP_Digest(bytes_.data(), size_, digest, nullptr, EVP_sha1(), nullptr) != 1) return {};
    std::uint8_t base64[(SHA_DIGEST_LENGTH + 2) / 3 * 4 + 1];
    const int length = EVP_EncodeBlock(base64, digest, sizeof(digest));
    return "1:" + std::string(base64, base64 + length);
  }

 private:
  std::array<std::uint8_t, 2 + 2 * 16 + 2 + 2 * 2> bytes_;
  std::size_t size_ = 0;
};

}  // namespace

std::string community_id(const std::uint8_t (&source)[16], const std::uint8_t (&destination)[16],
                         std::uint16_t source_port, std::uint16_t destination_port,
                         std::uint8_t l4_proto, std::uint8_t ip_version, std::uint16_t seed) {
  const bool is_icmp = l4_proto == IPPROTO_ICMP || l4_proto == IPPROTO_ICMPV6;
  const bool has_ports =
      is_icmp || l4_proto == IPPROTO_TCP || l4_proto == IPPROTO_UDP || l4_proto == IPPROTO_SCTP;
  bool is_one_way = false;
  if (is_icmp) {
    const int answer = l4_proto == IPPROTO_ICMP ? answer_to(kIcmpPairs, source_port)
                                                : answer_to(kIcmpv6Pairs, source_port);
    is_one_way = answer < 0;
    if (!is_one_way) destination_port = static_cast<std::uint16_t>(answer);
  }

  const std::size_t address_bytes = ip_version == 4 ? 4 : 16;
  Side first{{source, address_bytes}, source_port};
  Side second{{destination, address_bytes}, destination_port};
  if (!is_one_way && comes_first(second, first)) std::swap(first, second);

  HashInput input;
  input.add(seed);
  input.add(first.address);
  input.add(second.address);
  input.add(l4_proto);
  input.add(std::uint8_t{0});
  if (has_ports) {
    input.add(first.port);
    input.add(second.port);
  }
  return input.version_1();
}

}  // namespace nids
