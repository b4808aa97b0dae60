// SPDX-License-Identifier: Apache-2.0
#include "source/snap_lengths.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "retain/pcapng.hpp"

namespace nids {
namespace {

using pcapng::Bytes;

Bytes file_with_snap_lengths(std::uint32_t first, std::uint32_t second) {
  Bytes file;
  pcapng::append_section_header(file, "test");
  pcapng::append_interface(file, {.name = "a", .description = {}, .snap_len = first});
  pcapng::append_interface(file, {.name = "b", .description = {}, .snap_len = second});
  const Bytes frame(61, std::byte{1});  // its block has an interface's type in it, as data
  pcapng::append_packet(file, {.interface = 1, .time = {}, .original_len = 61, .data = frame});
  return file;
}

Bytes edited(Bytes file, std::size_t chunk) {
  SnapLengths snap_lengths;
  for (std::size_t at = 0; at < file.size(); at += chunk)
    snap_lengths.edit(std::span(file).subspan(at, std::min(chunk, file.size() - at)));
  return file;
}

TEST(SnapLengths, EachBecomesNoLimitInChunksOfAnySize) {
  const Bytes wanted = file_with_snap_lengths(0, 0);
  for (const std::size_t chunk : {std::size_t{1}, std::size_t{7}, std::size_t{4096}})
    EXPECT_EQ(edited(file_with_snap_lengths(8192, 65535), chunk), wanted) << chunk;
}

TEST(SnapLengths, ASimplePacketIsAsLongAsItsBlockInChunksOfAnySize) {
  Bytes file = file_with_snap_lengths(60, 100);
  for (const std::uint8_t byte : {3, 0, 0, 0, 20, 0, 0, 0, 99, 1, 0, 0, 1, 2, 3, 4, 20, 0, 0, 0})
    file.push_back(std::byte{byte});
  Bytes wanted = file_with_snap_lengths(0, 0);
  for (const std::uint8_t byte : {3, 0, 0, 0, 20, 0, 0, 0, 4, 0, 0, 0, 1, 2, 3, 4, 20, 0, 0, 0})
    wanted.push_back(std::byte{byte});
  for (const std::size_t chunk : {std::size_t{1}, std::size_t{7}, std::size_t{4096}}) {
    Bytes bytes = file;
    SnapLengths snap_lengths;
    for (std::size_t at = 0; at < bytes.size(); at += chunk)
      snap_lengths.edit(std::span(bytes).subspan(at, std::min(chunk, bytes.size() - at)));
    EXPECT_EQ(bytes, wanted) << chunk;
    EXPECT_FALSE(snap_lengths.simple_packet(1)) << "it is in an Enhanced Packet Block";
    const auto simple = snap_lengths.simple_packet(2);
    ASSERT_TRUE(simple);
    EXPECT_EQ(simple->original_len, 0x163u);
    EXPECT_EQ(simple->captured_len, 60u);
    EXPECT_TRUE(simple->is_longer_than_block);
    EXPECT_FALSE(snap_lengths.simple_packet(3));
  }
}

TEST(SnapLengths, OtherFilesPassUnchanged) {
  const Bytes pcap{std::byte{0xd4}, std::byte{0xc3}, std::byte{0xb2}, std::byte{0xa1},
                   std::byte{2},    std::byte{0},    std::byte{4},    std::byte{0},
                   std::byte{1},    std::byte{0},    std::byte{0},    std::byte{0},
                   std::byte{20},   std::byte{0},    std::byte{0},    std::byte{0}};
  EXPECT_EQ(edited(pcap, 3), pcap);
}

TEST(SnapLengths, ABlockShorterThanItsOwnHeadEndsTheEditing) {
  Bytes file = file_with_snap_lengths(8192, 8192);
  const std::size_t section = std::to_integer<std::size_t>(file[4]);
  file[section + 4] = std::byte{4};  // the first interface's total length
  EXPECT_EQ(edited(file, 5), file);
}

}  // namespace
}  // namespace nids
