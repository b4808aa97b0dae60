// SPDX-License-Identifier: Apache-2.0
#include "flow/flow_table.hpp"

#include <netinet/in.h>

#include <array>
#include <cstring>
#include <random>

#include "firstpass/twin.h"
#include "flow/community_id.hpp"

namespace nids {
namespace {

constexpr std::uint64_t kJsonSafe = (1ull << 53) - 1;
// The kernel's slots count in jiffies: at most one of HZ=100 behind.
constexpr std::uint64_t kCoarse_ns = 10'000'000;

constexpr std::uint64_t kIdle_ns = 60'000'000'000;  // as bpf/flow/slot.h has it
constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kAck = 0x10;

// The kernel says so too, but each CPU only of what it saw itself.
bool begins_anew(const Flow& flow, const Packet& packet) {
  const bool is_opening =
      packet.headers.l4_proto == IPPROTO_TCP && (packet.headers.tcp_flags & (kSyn | kAck)) == kSyn;
  return is_opening && (flow.is_closed || packet.time.ns > flow.last.ns + kIdle_ns);
}

using KeyWords = std::array<std::uint32_t, sizeof(nids_flow_key) / sizeof(std::uint32_t)>;

KeyWords words_of(const nids_flow_key& key) {
  KeyWords words;
  std::memcpy(words.data(), &key, sizeof(key));
  return words;
}

// Says the same of the same flow in every replay; nothing depends on nobody guessing it.
std::uint64_t id_of(const nids_flow_key& key, WallTime start) {
  std::uint64_t state = start.ns;
  for (const std::uint32_t word : words_of(key)) {
    state = (state ^ word) * 0x9e3779b97f4a7c15;
    state ^= state >> 29;
  }
  return state & kJsonSafe;
}

// Attackers choose addresses: strongly universal under secret random numbers, as in alert/.
std::size_t secret_hash(const nids_flow_key& key) {
  static const auto secrets = [] {
    std::array<std::uint64_t, std::tuple_size_v<KeyWords> + 1> numbers;
    std::random_device random;
    for (std::uint64_t& number : numbers) number = std::uint64_t{random()} << 32 | random();
    return numbers;
  }();
  const KeyWords words = words_of(key);
  std::uint64_t sum = secrets.back();
  for (std::size_t i = 0; i < words.size(); ++i) sum += secrets[i] * words[i];
  return sum >> 32;  // only the upper half is universal
}

// Who opened it, as the kernel saw it; by the first packet that came up.
Ends ends_of(const Packet& packet) {
  Ends ends;
  const nids_packet& h = packet.headers;
  const bool forward = packet.from_opener;
  std::memcpy(ends.client, forward ? h.src : h.dst, sizeof(ends.client));
  std::memcpy(ends.server, forward ? h.dst : h.src, sizeof(ends.server));
  ends.client_port = forward ? h.src_port : h.dst_port;
  ends.server_port = forward ? h.dst_port : h.src_port;
  ends.vlan[0] = h.vlan[0];
  ends.vlan[1] = h.vlan[1];
  ends.l4_proto = h.l4_proto;
  ends.ip_version = h.ip_version;
  return ends;
}

std::string community_id_of(const Packet& packet, const Ends& ends, std::uint16_t seed) {
  const bool is_icmp =
      packet.headers.l4_proto == IPPROTO_ICMP || packet.headers.l4_proto == IPPROTO_ICMPV6;
  if (is_icmp)
    return community_id(packet.headers.src, packet.headers.dst, packet.headers.icmp_type,
                        packet.headers.icmp_code, ends.l4_proto, ends.ip_version, seed);
  return community_id(ends.client, ends.server, ends.client_port, ends.server_port, ends.l4_proto,
                      ends.ip_version, seed);
}

}  // namespace

std::size_t FlowTable::KeyHash::operator()(const nids_flow_key& key) const noexcept {
  return secret_hash(key);
}

bool FlowTable::KeyEqual::operator()(const nids_flow_key& a,
                                     const nids_flow_key& b) const noexcept {
  return std::memcmp(&a, &b, sizeof(a)) == 0;  // no padding: 6 words
}

Flow& FlowTable::track(const Packet& packet) {
  nids_flow_key key;
  nids_twin_flow_key(&packet.headers, &key);
  auto known = index_.find(key);
  if (known != index_.end() && begins_anew(*known->second, packet)) {
    silent_first_.erase(known->second);
    index_.erase(known);
    known = index_.end();
  }
  const bool is_new = known == index_.end();
  Flow& flow = is_new ? open(key, packet) : *known->second;
  if (!is_new) silent_first_.splice(silent_first_.end(), silent_first_, known->second);
  flow.is_closed = flow.is_closed || (packet.headers.tcp_flags & (kFin | kRst)) != 0;
  flow.last = packet.time;
  return flow;
}

Flow& FlowTable::open(const nids_flow_key& key, const Packet& packet) {
  if (index_.size() >= limits_.max_flows) {
    index_.erase(silent_first_.front().key);
    silent_first_.pop_front();
    ++evictions_;
  }
  Flow flow{.key = key, .ends = ends_of(packet), .start = packet.time};
  flow.class_id = packet.class_id;
  flow.community_id = community_id_of(packet, flow.ends, limits_.community_id_seed);
  flow.id = id_of(key, packet.time);
  silent_first_.push_back(std::move(flow));
  index_.emplace(key, std::prev(silent_first_.end()));
  return silent_first_.back();
}

Flow FlowTable::stranger(const Packet& packet) {
  Flow flow{.start = packet.time};
  if (packet.headers.ip_version != 0) flow.ends = ends_of(packet);
  return flow;
}

void FlowTable::forget(const nids_flow_key& key, WallTime last) {
  const auto known = index_.find(key);
  if (known == index_.end() || last.ns + kCoarse_ns < known->second->start.ns) return;
  silent_first_.erase(known->second);
  index_.erase(known);
}

}  // namespace nids
