// SPDX-License-Identifier: Apache-2.0
#include "net/community_id.hpp"

#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <array>
#include <cstring>
#include <span>
#include <utility>

#include "net/icmp_pairs.hpp"

namespace nids {
namespace {

struct Side {
  std::span<const std::uint8_t> address;
  std::uint16_t port;
};

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
    const auto answer = other_icmp_type(l4_proto, source_port);
    is_one_way = !answer;
    if (answer) destination_port = *answer;
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
