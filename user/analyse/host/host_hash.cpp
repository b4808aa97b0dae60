// SPDX-License-Identifier: Apache-2.0
#include "analyse/host/host_hash.hpp"

#include <array>
#include <cstring>
#include <random>

namespace nids {
namespace {

constexpr std::size_t kWords = sizeof(HostKey) / sizeof(std::uint32_t);
static_assert(sizeof(HostKey) % sizeof(std::uint32_t) == 0);

}  // namespace

std::size_t host_hash(const HostKey& key) noexcept {
  static const auto secrets = [] {
    std::array<std::uint64_t, kWords + 1> numbers;
    std::random_device random;
    for (std::uint64_t& number : numbers) number = std::uint64_t{random()} << 32 | random();
    return numbers;
  }();
  std::uint32_t words[kWords];
  std::memcpy(words, &key, sizeof(words));
  std::uint64_t sum = secrets[kWords];
  for (std::size_t i = 0; i < kWords; ++i) sum += secrets[i] * words[i];
  return sum >> 32;  // only the upper half is universal
}

HostKey remainder_of(const HostKey& key) {
  HostKey rest;
  std::memcpy(rest.source, key.source, sizeof(rest.source));
  rest.ip_version = key.ip_version;
  rest.ifindex = key.ifindex;
  std::memcpy(rest.vlan, key.vlan, sizeof(rest.vlan));
  rest.is_remainder = 1;
  return rest;
}

}  // namespace nids
