// SPDX-License-Identifier: Apache-2.0
// The hash that places a flow, and the cell that all CPUs share of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <set>
#include <vector>

#include "firstpass/first_pass.hpp"
#include "support/flow_pure.h"

namespace nids {
namespace {

constexpr int kWords4 = sizeof(nids_flow4_key) / sizeof(std::uint64_t);
constexpr int kWords6 = sizeof(nids_flow6_key) / sizeof(std::uint64_t);
using Words = std::vector<__u64>;
using HashKeys = std::array<__u64, NIDS_HASH_KEYS>;

HashKeys keys_of(std::uint64_t seed) {
  HashKeys keys;
  std::ranges::copy(hash_keys_of(seed), keys.begin());
  return keys;
}

// What places a flow: its sets, rings and cells are chosen by the upper half.
std::uint32_t place(const Words& words, const HashKeys& keys) {
  return static_cast<std::uint32_t>(
      test_flow_hash(words.data(), static_cast<int>(words.size()), keys.data()) >> 32);
}

Words flipped(Words words, std::size_t a, std::size_t b) {
  words[a / 64] ^= std::uint64_t{1} << a % 64;
  words[b / 64] ^= std::uint64_t{1} << b % 64;
  return words;
}

// Sums of products are weak in their top bits where the words are as wide as the sum: two flips
// then cancel. Here a word is half as wide.
TEST(FlowHash, FlippingAnyTwoBitsMovesTheFlow) {
  std::mt19937_64 random(1);
  for (const int count : {kWords4, kWords6}) {
    const HashKeys keys = keys_of(random());
    Words words(static_cast<std::size_t>(count));
    for (auto& word : words) word = random();
    const std::uint32_t before = place(words, keys);
    for (std::size_t a = 0; a < words.size() * 64; ++a)
      for (std::size_t b = a + 1; b < words.size() * 64; ++b)
        ASSERT_NE(place(flipped(words, a, b), keys), before) << "bits " << a << " and " << b;
  }
}

TEST(FlowHash, TopBitsOfNeighbouringWordsNeverCancel) {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const HashKeys keys = keys_of(seed);
    const Words zero(kWords6);
    for (std::size_t top = 31; top + 32 < zero.size() * 64; top += 32)
      EXPECT_NE(place(flipped(zero, top, top + 32), keys), place(zero, keys)) << seed;
  }
}

TEST(FlowHash, AnotherSeedPlacesAFlowElsewhere) {
  const Words words{1, 2};
  std::set<std::uint32_t> places;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) places.insert(place(words, keys_of(seed)));
  EXPECT_EQ(places.size(), 1000u);
}

TEST(FlowHash, NeighbouringFlowsFillTheSetsEvenly) {
  constexpr std::size_t kSets = 64, kFlows = 64 * 256;
  const HashKeys keys = keys_of(42);
  std::array<int, kSets> flows{};
  for (std::uint64_t i = 0; i < kFlows; ++i)
    ++flows[place({0x0100000a'0200000a, i << 16 | 443}, keys) % kSets];
  EXPECT_GT(std::ranges::min(flows), 128);
  EXPECT_LT(std::ranges::max(flows), 512);
}

nids_packet turned(nids_packet packet) {
  std::swap(packet.src, packet.dst);
  std::swap(packet.src_port, packet.dst_port);
  return packet;
}

TEST(FlowHash, IsTheSameInEitherDirection) {
  std::mt19937 random(1);
  const HashKeys keys = keys_of(1);
  const auto place4 = [&](const nids_packet& packet) {
    nids_flow4_key key;
    test_flow4_key(&packet, &key);
    Words words(kWords4);
    std::memcpy(words.data(), &key, sizeof(key));
    return place(words, keys);
  };
  const auto place6 = [&](const nids_packet& packet) {
    nids_flow6_key key;
    test_flow6_key(&packet, &key);
    Words words(kWords6);
    std::memcpy(words.data(), &key, sizeof(key));
    return place(words, keys);
  };
  for (int i = 0; i < 10'000; ++i) {
    nids_packet packet{};
    packet.ip_version = 4;
    packet.l4_proto = 6;
    // Few values, so that ends often share an address or a port.
    for (auto* address : {packet.src, packet.dst})
      for (int byte = 0; byte < 4; ++byte) address[byte] = random() % 2 == 0 ? 0 : 0xff;
    packet.src_port = static_cast<std::uint16_t>(random() % 3);
    packet.dst_port = static_cast<std::uint16_t>(random() % 3);
    EXPECT_EQ(place4(packet), place4(turned(packet)));
    for (auto* address : {packet.src, packet.dst})
      for (int byte = 4; byte < 16; ++byte) address[byte] = random() % 2 == 0 ? 0 : 0xff;
    packet.ip_version = 6;
    EXPECT_EQ(place6(packet), place6(turned(packet)));
  }
}

constexpr std::uint64_t kHash = 0x123456789abcdef0;

TEST(FlowCell, TellsItsFlowAndNoOther) {
  nids_flow_cell cell{};
  __u8 class_id = 0, flags = 0;
  EXPECT_EQ(test_recall_opener(&cell, kHash, &class_id, &flags), 0) << "an empty cell is nobody's";
  EXPECT_EQ(test_recall_opener(&cell, 0, &class_id, &flags), 0);

  EXPECT_EQ(test_remember_opener(&cell, kHash, 63, NIDS_FLOW_OPENER_HI), 0);
  EXPECT_EQ(test_recall_opener(&cell, kHash, &class_id, &flags), 1);
  EXPECT_EQ(class_id, 63);
  EXPECT_EQ(flags, NIDS_FLOW_OPENER_HI);
  EXPECT_EQ(test_recall_opener(&cell, kHash ^ 1ull << 62, &class_id, &flags), 0);
  EXPECT_EQ(test_recall_opener(&cell, kHash ^ 1ull << 16, &class_id, &flags), 0);
}

TEST(FlowCell, CountsOnlyAnotherFlowAsReplaced) {
  nids_flow_cell cell{};
  EXPECT_EQ(test_remember_opener(&cell, kHash, 1, 0), 0);
  EXPECT_EQ(test_remember_opener(&cell, kHash, 2, 0), 0);
  EXPECT_EQ(test_remember_opener(&cell, ~kHash, 2, 0), 1);
  EXPECT_EQ(test_remember_opener(&cell, 0, 0, 0), 1) << "a flow whose hash is 0 is a flow";
  EXPECT_NE(cell.opener, 0u);
}

TEST(FlowCell, HistoryIsItsFlowsAlone) {
  nids_flow_cell cell{};
  test_append_history(&cell, kHash, NIDS_EVENT_SYN, NIDS_FROM_LO);
  EXPECT_EQ(test_recall_history(&cell, kHash), 0u) << "nobody has remembered it";

  test_remember_opener(&cell, kHash, 0, 0);
  test_append_history(&cell, kHash, NIDS_EVENT_SYN, NIDS_FROM_LO);
  test_append_history(&cell, kHash, NIDS_EVENT_SYN_ACK, NIDS_FROM_HI);
  EXPECT_EQ(test_recall_history(&cell, kHash), 0x81u);

  test_append_history(&cell, ~kHash, NIDS_EVENT_RST, NIDS_FROM_LO);
  EXPECT_EQ(test_recall_history(&cell, ~kHash), 0u);
  EXPECT_EQ(test_recall_history(&cell, kHash), 0x81u);

  test_remember_opener(&cell, ~kHash, 0, 0);
  EXPECT_EQ(test_recall_history(&cell, kHash), 0u);
  EXPECT_EQ(test_recall_history(&cell, ~kHash), 0u) << "it begins with none";
}

TEST(FlowCell, HistoryHoldsEachOfTwelveEventsOnce) {
  std::uint64_t history = 0;
  for (std::uint64_t i = 0; i < NIDS_HISTORY_EVENTS; ++i) {
    const auto sender = i < NIDS_EVENTS_PER_SENDER ? NIDS_FROM_HI : NIDS_FROM_LO;
    const auto event = static_cast<std::uint32_t>(1u << i % NIDS_EVENTS_PER_SENDER);
    const std::uint64_t longer = test_history_with(history, event, sender);
    EXPECT_EQ(longer >> (4 * i), 1 + i % 6 + (sender == NIDS_FROM_HI ? 6 : 0));
    EXPECT_EQ(longer & ((1ull << (4 * i)) - 1), history) << "what came before stays";
    history = longer;
    EXPECT_EQ(test_history_with(history, event, sender), history) << "as another CPU may see it";
  }
  EXPECT_EQ(history, 0x6543'21cb'a987ull);
  EXPECT_EQ(test_history_with(history, 0x3f, NIDS_FROM_LO), history);
  EXPECT_EQ(test_history_with(0, 0x3f, NIDS_FROM_LO), 0x654321u);
  EXPECT_EQ(test_history_with(0x654321, 0x3f, NIDS_FROM_HI), 0xcba987654321u);
}

}  // namespace
}  // namespace nids
