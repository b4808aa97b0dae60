// SPDX-License-Identifier: Apache-2.0
#include "retain/pcapng_reader.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace nids::pcapng {
namespace {

constexpr std::uint64_t kTime = 1'795'341'600'123'456'789;

ReadAt reading(const Bytes& file) {
  return [&file](std::uint64_t offset, std::span<std::byte> into) {
    const std::size_t there =
        offset < file.size() ? std::min<std::size_t>(file.size() - offset, into.size()) : 0;
    std::copy_n(file.begin() + static_cast<std::ptrdiff_t>(there == 0 ? 0 : offset), there,
                into.begin());
    return there;
  };
}

Bytes frame_of(std::size_t size) {
  Bytes frame(size);
  for (std::size_t i = 0; i < size; ++i) frame[i] = static_cast<std::byte>(i * 7);
  return frame;
}

// A block by words of 32 bits; its lengths are added.
void append_words(Bytes& file, std::uint32_t type, std::vector<std::uint32_t> words) {
  const auto length = static_cast<std::uint32_t>(12 + 4 * words.size());
  words.insert(words.begin(), {type, length});
  words.push_back(length);
  const auto bytes = std::as_bytes(std::span(words));
  file.insert(file.end(), bytes.begin(), bytes.end());
}

constexpr std::uint32_t option(std::uint16_t code, std::uint16_t size) {
  return std::uint32_t{size} << 16 | code;
}

// Section, interface, and packets of 0, 1, 2, ... bytes.
struct Sample {
  Bytes file;
  std::size_t interface_at = 0;
  std::vector<std::size_t> packets_at;

  explicit Sample(std::size_t packets) {
    append_section_header(file, "a test");
    interface_at = file.size();
    append_interface(file, {.name = "eth0", .description = "uplink", .filter = "tcp port 22"});
    for (std::size_t size = 0; size < packets; ++size) {
      packets_at.push_back(file.size());
      append_packet(file, {.time = {kTime + size},
                           .original_len = 1500,
                           .data = frame_of(size),
                           .outbound = size % 2 == 1,
                           .comments = {"first", std::string(size, 'c') + "x"}});
    }
  }
  std::uint32_t get(std::size_t at) const {
    std::uint32_t value = 0;
    std::memcpy(&value, &file.at(at), sizeof(value));
    return value;
  }
  void put(std::size_t at, std::uint32_t value) {
    std::memcpy(&file.at(at + 3) - 3, &value, sizeof(value));
  }
};

// What the reader complains of first; "end" where of nothing.
std::string complaint(Reader& reader) {
  for (;;) {
    const auto packet = reader.next();
    if (!packet) return packet.error().message();
    if (!*packet) return "end";
  }
}
std::string complaint(const Bytes& file) {
  Reader reader(reading(file));
  return complaint(reader);
}

#define EXPECT_SAYS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

WallTime time_by(std::vector<std::uint32_t> interface_options, std::uint64_t ticks) {
  Bytes file;
  append_section_header(file, "");
  std::vector<std::uint32_t> words{1, 0};
  words.insert(words.end(), interface_options.begin(), interface_options.end());
  append_words(file, 1, words);
  append_words(
      file, 6,
      {0, static_cast<std::uint32_t>(ticks >> 32), static_cast<std::uint32_t>(ticks), 0, 0});
  Reader reader(reading(file));
  const auto packet = reader.next();
  EXPECT_TRUE(packet && *packet);
  return packet && *packet ? (*packet)->time : WallTime{};
}

TEST(PcapngReader, ReadsBackWhatWasWritten) {
  const Sample sample(9);
  Reader reader(reading(sample.file));
  for (std::size_t size = 0; size < 9; ++size) {
    const auto read = reader.next();
    ASSERT_TRUE(read && *read);
    const PacketBlock& packet = **read;
    EXPECT_EQ(packet.offset, sample.packets_at[size]);
    EXPECT_EQ(packet.number, size + 1);
    EXPECT_EQ(packet.time.ns, kTime + size);
    EXPECT_EQ(packet.original_len, 1500u);
    EXPECT_EQ(Bytes(packet.data.begin(), packet.data.end()), frame_of(size));
    EXPECT_EQ(packet.outbound, size % 2 == 1);
    ASSERT_EQ(packet.comments.size(), 2u);
    EXPECT_EQ(packet.comments[0], "first");
    EXPECT_EQ(packet.comments[1], std::string(size, 'c') + "x");
    EXPECT_EQ(packet.offset + packet.bytes.size(), reader.end());
  }
  const auto end = reader.next();
  ASSERT_TRUE(end);
  EXPECT_FALSE(*end);
  EXPECT_EQ(reader.end(), sample.file.size());
  ASSERT_EQ(reader.interfaces().size(), 1u);
  EXPECT_EQ(reader.interfaces()[0].name, "eth0");
  EXPECT_EQ(reader.interfaces()[0].description, "uplink");
  EXPECT_EQ(reader.interfaces()[0].filter, "tcp port 22");
  EXPECT_EQ(reader.interfaces()[0].link_type, 1);
}

TEST(PcapngReader, FindsAPacketByItsOffsetInAnyOrder) {
  const Sample sample(9);
  Reader reader(reading(sample.file));
  for (std::size_t size = 9; size-- > 0;) {
    const auto packet = reader.at(sample.packets_at[size]);
    ASSERT_TRUE(packet) << packet.error().message();
    EXPECT_EQ(packet->time.ns, kTime + size);
    EXPECT_EQ(packet->data.size(), size);
    EXPECT_EQ(packet->number, 0u);
    EXPECT_EQ(packet->interface, 0u);
  }
}

TEST(PcapngReader, AnOffsetOfNoPacketIsAnError) {
  const Sample sample(3);
  Reader reader(reading(sample.file));
  for (const std::uint64_t offset :
       {std::uint64_t{0}, std::uint64_t{sample.interface_at},
        std::uint64_t{sample.packets_at[1] + 4}, std::uint64_t{sample.file.size()},
        ~std::uint64_t{0}, std::uint64_t{1} << 62, (std::uint64_t{1} << 63) - 1})
    EXPECT_FALSE(reader.at(offset)) << offset;
  EXPECT_TRUE(reader.at(sample.packets_at[1]));
}

TEST(PcapngReader, GoesOnWhereItIsSent) {
  const Sample sample(5);
  Reader reader(reading(sample.file));
  reader.seek(sample.packets_at[3], 3);
  for (const std::uint64_t number : {4, 5}) {
    const auto packet = reader.next();
    ASSERT_TRUE(packet && *packet);
    EXPECT_EQ((*packet)->number, number);
    EXPECT_EQ((*packet)->data.size(), number - 1);
  }
  reader.seek(0, 0);  // and does not know its interface twice
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.interfaces().size(), 1u);
}

TEST(PcapngReader, BlocksLongerThanItsBuffersAreReadWhole) {
  Bytes file;
  append_section_header(file, "");
  append_interface(file, {.name = "lo"});
  std::vector<std::size_t> offsets;
  for (const std::size_t size : {3u << 20, 100u, 1u << 20, 70'000u}) {
    offsets.push_back(file.size());
    append_packet(file, {.data = frame_of(size)});
  }
  Reader reader(reading(file), 64);
  for (const std::size_t size : {3u << 20, 100u, 1u << 20, 70'000u}) {
    const auto packet = reader.next();
    ASSERT_TRUE(packet && *packet);
    EXPECT_EQ((*packet)->data.size(), size);
    EXPECT_EQ((*packet)->data.back(), frame_of(size).back());
  }
  const auto again = reader.at(offsets[0]);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->data.back(), frame_of(3u << 20).back());
}

TEST(PcapngReader, EachSectionHasInterfacesOfItsOwn) {
  Bytes file;
  for (const char* name : {"eth0", "eth1"}) {
    append_section_header(file, "");
    append_interface(file, {.name = name});
    append_packet(file, {.data = {}});
  }
  Reader reader(reading(file));
  for (const char* name : {"eth0", "eth1"}) {
    const auto packet = reader.next();
    ASSERT_TRUE(packet && *packet);
    EXPECT_EQ(reader.interfaces()[(*packet)->interface].name, name);
  }
}

TEST(PcapngReader, InterfacesBetweenPacketsAreLookedFor) {
  Bytes file;
  append_section_header(file, "");
  append_interface(file, {.name = "eth0"});
  append_packet(file, {.data = {}});
  append_interface(file, {.name = "eth1"});
  const std::size_t offset = file.size();
  append_packet(file, {.interface = 1, .data = frame_of(4)});
  Reader by_offset(reading(file)), by_seek(reading(file));
  const auto found = by_offset.at(offset);
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(by_offset.interfaces()[found->interface].name, "eth1");
  EXPECT_EQ(found->data.size(), 4u);
  by_seek.seek(offset, 1);
  const auto next = by_seek.next();
  ASSERT_TRUE(next && *next);
  EXPECT_EQ(by_seek.interfaces()[(*next)->interface].name, "eth1");
}

TEST(PcapngReader, TimeStampsOfEveryResolutionBecomeNanoseconds) {
  constexpr std::uint32_t kResolution = option(9, 1), kOffset = option(14, 8);
  EXPECT_EQ(time_by({}, 1'500'000).ns, 1'500'000'000u) << "microseconds, where nothing is said";
  EXPECT_EQ(time_by({kResolution, 0}, 3).ns, 3'000'000'000u);
  EXPECT_EQ(time_by({kResolution, 3}, 1'500).ns, 1'500'000'000u);
  EXPECT_EQ(time_by({kResolution, 12}, 1'234'567).ns, 1'234u);
  EXPECT_EQ(time_by({kResolution, 127}, ~0ull).ns, 0u);
  EXPECT_EQ(time_by({kResolution, 0x80 | 10}, 1'536).ns, 1'500'000'000u) << "2^-10 s";
  EXPECT_EQ(time_by({kResolution, 0x80 | 32}, 3ull << 31).ns, 1'500'000'000u);
  EXPECT_EQ(time_by({kResolution, 0xff}, ~0ull).ns, 0u);
  EXPECT_EQ(time_by({kOffset, 100, 0}, 1'500'000).ns, 101'500'000'000u);
  EXPECT_EQ(time_by({kOffset, ~0u, ~0u}, 1'500'000).ns, 500'000'000u) << "an offset of -1 s";
  EXPECT_EQ(time_by({kOffset, 0, 1u << 31}, 1).ns, 0u) << "before any time";
  EXPECT_EQ(time_by({kOffset, ~0u, ~0u >> 1}, 1).ns, ~0ull) << "behind any time";
  EXPECT_EQ(time_by({kResolution, 0}, ~0ull).ns, ~0ull);
}

TEST(PcapngReader, SimplePacketsAreCountedObsoleteOnesReadOthersPassedOver) {
  Bytes file;
  append_section_header(file, "");
  append_interface(file, {.name = "eth0"});
  append_words(file, 3, {4, 0x45});
  append_words(file, 0xbad, {1, 2, 3});
  append_statistics(file, {.interface = 0});
  append_words(file, 2, {7u << 16, 0, 5, 4, 60, 0x45, option(1, 2), 'h' | 'i' << 8});
  Reader reader(reading(file));
  const auto packet = reader.next();
  ASSERT_TRUE(packet && *packet) << complaint(file);
  EXPECT_EQ((*packet)->number, 2u);
  EXPECT_EQ((*packet)->time.ns, 5u);
  EXPECT_EQ((*packet)->original_len, 60u);
  EXPECT_EQ((*packet)->data.size(), 4u);
  EXPECT_EQ((*packet)->comments, std::vector<std::string_view>{"hi"});
  EXPECT_EQ(complaint(reader), "end");
}

TEST(PcapngReader, AFileThatEndsInsideABlockIsReadUpToIt) {
  const Sample sample(3);
  const std::size_t whole = sample.packets_at[2];
  for (std::size_t size = whole + 1; size < sample.file.size(); ++size) {
    const Bytes file(sample.file.begin(), sample.file.begin() + static_cast<std::ptrdiff_t>(size));
    Reader reader(reading(file));
    EXPECT_SAYS(complaint(reader), "the file ends inside it");
    EXPECT_TRUE(reader.is_cut());
    EXPECT_EQ(reader.end(), whole);
  }
}

TEST(PcapngReader, AFileThatGrewIsReadOn) {
  const Sample sample(3);
  for (const std::size_t size : {sample.packets_at[2], sample.packets_at[2] + 7}) {
    Bytes file(sample.file.begin(), sample.file.begin() + static_cast<std::ptrdiff_t>(size));
    Reader reader(reading(file));
    complaint(reader);
    file = sample.file;
    const auto packet = reader.next();
    ASSERT_TRUE(packet && *packet);
    EXPECT_EQ((*packet)->number, 3u);
  }
}

TEST(PcapngReader, EveryLengthThatLiesIsAnErrorAndEndSaysWhere) {
  const std::size_t block = Sample(3).packets_at[1];
  const auto expect = [&](std::size_t at, std::uint32_t value, const char* reason) {
    Sample sample(3);
    sample.put(at, value);
    Reader reader(reading(sample.file));
    EXPECT_SAYS(complaint(reader), reason);
    EXPECT_EQ(reader.end(), block);
    EXPECT_FALSE(reader.at(block));
  };
  const std::uint32_t length = Sample(3).get(block + 4);
  for (const std::uint32_t lie :
       {0u, 4u, 12u, 28u, length - 1, length + 2, Reader::kMaxBlock + 4, ~3u, ~0u})
    expect(block + 4, lie, "can't be");
  expect(block + 4, length - 4, "differ");
  expect(block + 4, length + 4, "differ");
  expect(block + 4, Reader::kMaxBlock, "ends inside it");
  expect(block + length - 4, 0, "differ");
  for (const std::uint32_t lie : {1u, ~0u}) expect(block + 8, lie, "is described nowhere");
  for (const std::uint32_t lie : {100u, 0x7fff'ffffu, ~0u - 3, ~0u})
    expect(block + 20, lie, "bytes is longer");
  // Options begin behind one byte of data and three of padding.
  for (const std::uint32_t size : {100u, 0xfffcu, 0xffffu})
    expect(block + 32, size << 16 | 2, "the length of an option can't be");
}

TEST(PcapngReader, InterfacesThatLieAreErrors) {
  const auto expect = [](std::size_t at, std::uint32_t value, const char* reason) {
    Sample sample(1);
    sample.put(sample.interface_at + at, value);
    Reader reader(reading(sample.file));
    EXPECT_SAYS(complaint(reader), reason);
    EXPECT_EQ(reader.end(), sample.interface_at);
    EXPECT_FALSE(reader.at(sample.packets_at[0]));
  };
  for (const std::uint32_t lie : {0u, 16u, ~0u}) expect(4, lie, "can't be");
  expect(16, option(2, 0xffff), "the length of an option can't be");
  Sample without(1);
  without.put(without.interface_at, 9);
  EXPECT_SAYS(complaint(without.file), "is described nowhere");
}

TEST(PcapngReader, MoreInterfacesThanAnyoneHasAreAnError) {
  Bytes file;
  append_section_header(file, "");
  for (std::size_t i = 0; i <= Reader::kMaxInterfaces; ++i) append_words(file, 1, {1, 0});
  EXPECT_SAYS(complaint(file), "too many interfaces");
  Bytes sections;
  for (std::size_t i = 0; i <= Reader::kMaxInterfaces; ++i)
    append_words(sections, 0x0a0d0d0a, {0x1a2b3c4d, 1, ~0u, ~0u});
  EXPECT_SAYS(complaint(sections), "too many sections");
}

TEST(PcapngReader, OfTooManyCommentsTheFirstAreRead) {
  Bytes file;
  append_section_header(file, "");
  append_interface(file, {.name = "eth0"});
  append_packet(file, {.data = {}, .comments = std::vector<std::string>(1000, "c")});
  Reader reader(reading(file));
  const auto packet = reader.next();
  ASSERT_TRUE(packet && *packet);
  EXPECT_EQ((*packet)->comments.size(), Reader::kMaxComments);
}

TEST(PcapngReader, WhatIsNoPcapngOfThisHostIsSaidToBe) {
  Sample sample(1);
  sample.put(8, 0x4d3c2b1a);
  EXPECT_SAYS(complaint(sample.file), "of the other byte order\n  hint: editcap");
  sample.put(8, 1);
  EXPECT_SAYS(complaint(sample.file), "no byte order");
  sample.put(8, 0x1a2b3c4d);
  sample.put(12, 2);
  EXPECT_SAYS(complaint(sample.file), "version 2");
  sample.put(0, 0xa1b2c3d4);
  EXPECT_SAYS(complaint(sample.file), "is no pcapng");
  EXPECT_EQ(complaint(Bytes{}), "end");
  EXPECT_SAYS(complaint(frame_of(5)), "ends inside");
}

// Every word in turn becomes each of the values that break sums. Whatever comes of it, no more is
// read than there is, and reading ends; the sanitizers watch.
TEST(PcapngReader, NoWordThatLiesMakesItReadBeyondTheFile) {
  const Sample honest(4);
  for (std::size_t at = 0; at + 4 <= honest.file.size(); at += 4)
    for (const std::uint32_t lie : {0u, 1u, 3u, 4u, 0x7fff'ffffu, 0x8000'0000u, ~0u, ~3u, 0xffffu,
                                    0xffff'0001u, 0x0a0d0d0au}) {
      Sample sample = honest;
      sample.put(at, lie);
      Reader reader(reading(sample.file));
      std::size_t packets = 0;
      for (;; ++packets) {
        const auto packet = reader.next();
        if (!packet || !*packet) break;
        EXPECT_LE((*packet)->offset + (*packet)->bytes.size(), sample.file.size());
      }
      EXPECT_LE(packets, 4u);
      EXPECT_LE(reader.end(), sample.file.size());
      for (const std::size_t offset : honest.packets_at) {
        const auto packet = reader.at(offset);
        EXPECT_TRUE(!packet || packet->data.size() <= sample.file.size());
      }
    }
}

}  // namespace
}  // namespace nids::pcapng
