// SPDX-License-Identifier: Apache-2.0
// The hash for tables whose keys attackers choose. Independent of what a key means.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <type_traits>

namespace nids {

// Each instance has secret random numbers of its own. They make the hash strongly universal
// (multilinear, Lemire and Kaser 2014), so an attacker can't choose keys that collide.
template <class Key>
class SecretHash {
 public:
  SecretHash() {
    std::random_device random;
    for (std::uint64_t& number : secrets_) number = std::uint64_t{random()} << 32 | random();
  }

  std::size_t operator()(const Key& key) const noexcept {
    std::uint32_t words[kWords];
    std::memcpy(words, &key, sizeof(words));
    std::uint64_t sum = secrets_[kWords];
    for (std::size_t i = 0; i < kWords; ++i) sum += secrets_[i] * words[i];
    return sum >> 32;  // only the upper half is universal
  }

 private:
  static constexpr std::size_t kWords = sizeof(Key) / sizeof(std::uint32_t);
  static_assert(std::has_unique_object_representations_v<Key>, "equal keys have equal bytes");
  static_assert(sizeof(Key) % sizeof(std::uint32_t) == 0);

  std::array<std::uint64_t, kWords + 1> secrets_;
};

}  // namespace nids
