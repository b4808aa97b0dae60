// SPDX-License-Identifier: Apache-2.0
#include "flow/flow_index.hpp"

#include <array>
#include <bit>
#include <cstring>
#include <random>
#include <utility>

namespace nids {
namespace {

// The mean number of entries in a part. Parts that are not split yet have about twice as many as
// split parts.
constexpr std::size_t kPartSize = 256;

constexpr std::size_t kKeyWords = sizeof(nids_flow_key) / sizeof(std::uint32_t);
constexpr std::size_t kTunnelWords = sizeof(nids_flow_tunnel) / sizeof(std::uint32_t);

// A strongly universal hash with secret random numbers, like SecretHash, because attackers choose
// addresses.
std::uint32_t secret_hash(const nids_flow_key& key, const nids_flow_tunnel& tunnel,
                          std::uint32_t link) {
  static const auto secrets = [] {
    std::array<std::uint64_t, kKeyWords + kTunnelWords + 2> numbers;
    std::random_device random;
    for (std::uint64_t& number : numbers) number = std::uint64_t{random()} << 32 | random();
    return numbers;
  }();
  auto secret = secrets.begin();
  std::uint64_t sum = *secret++;
  sum += *secret++ * link;
  for (const std::uint32_t word : words_of(key)) sum += *secret++ * word;
  if (key.tunnel != NIDS_TUNNEL_NONE)
    for (const std::uint32_t word : words_of(tunnel)) sum += *secret++ * word;
  return static_cast<std::uint32_t>(sum >> 32);  // only the upper half is universal
}

}  // namespace

std::size_t FlowIndex::Hash::operator()(std::uint32_t place) const noexcept {
  const Flow& flow = (*pool)[place];
  if (flow.key.tunnel == NIDS_TUNNEL_NONE) return secret_hash(flow.key, {}, flow.link);
  return secret_hash(flow.key, flow.tunnel(), flow.link);
}

bool FlowIndex::Equal::operator()(const Wanted& wanted, std::uint32_t place) const noexcept {
  const Flow& flow = (*pool)[place];
  return wanted.link == flow.link && flow.is_of(wanted.flow);
}

FlowIndex::FlowIndex(const Chunks<Flow>& pool) : hash_{&pool} {
  parts_.emplace_back(0, hash_, Equal{&pool});
}

// The low bits of the hash are the number of the part. If no part has this number yet, the entries
// are still in the part whose number lacks the highest bit.
std::size_t FlowIndex::part_of(std::size_t hash) const {
  const std::size_t half = std::bit_floor(parts_.size());
  const std::size_t part = hash & (2 * half - 1);
  return part < parts_.size() ? part : part - half;
}

std::uint32_t FlowIndex::find(const FlowIdentity& flow, std::uint32_t link) const {
  const std::uint32_t hash = secret_hash(flow.key, flow.tunnel, link);
  const Part& part = parts_[part_of(hash)];
  const auto known = part.find(Wanted{flow, link, hash});
  return known == part.end() ? kNone : *known;
}

void FlowIndex::insert(std::uint32_t place) {
  parts_[part_of(hash_(place))].insert(place);
  if (++size_ > parts_.size() * kPartSize) split();
}

void FlowIndex::erase(std::uint32_t place) { size_ -= parts_[part_of(hash_(place))].erase(place); }

void FlowIndex::split() {
  const std::size_t half = std::bit_floor(parts_.size());
  Part& old = parts_[parts_.size() - half];
  Part added(0, hash_, old.key_eq());
  const auto is_of_added = [&](std::uint32_t place) {
    return (hash_(place) & (2 * half - 1)) == parts_.size();
  };
  erase_if(old,
           [&](std::uint32_t place) { return is_of_added(place) && added.insert(place).second; });
  old.rehash(0);  // shrinks to the entries that are left
  parts_.push_back(std::move(added));
}

}  // namespace nids
