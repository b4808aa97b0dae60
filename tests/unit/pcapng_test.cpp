// SPDX-License-Identifier: Apache-2.0
#include "retain/pcapng.hpp"

#include <gtest/gtest.h>
#include <pcap/pcap.h>

#include <cstdio>
#include <cstring>
#include <memory>

namespace nids::pcapng {
namespace {

struct ClosePcap {
  void operator()(pcap_t* capture) const noexcept { pcap_close(capture); }
};
using Capture = std::unique_ptr<pcap_t, ClosePcap>;

Capture read_back(const Bytes& file) {
  auto* bytes = const_cast<std::byte*>(file.data());
  char error[PCAP_ERRBUF_SIZE] = "";
  pcap_t* capture = pcap_fopen_offline_with_tstamp_precision(::fmemopen(bytes, file.size(), "r"),
                                                             PCAP_TSTAMP_PRECISION_NANO, error);
  EXPECT_NE(capture, nullptr) << error;
  return Capture(capture);
}

std::uint32_t u32(const Bytes& bytes, std::size_t at) {
  std::uint32_t value = 0;
  std::memcpy(&value, &bytes.at(at + 3) - 3, sizeof value);
  return value;
}

std::uint16_t u16(const Bytes& bytes, std::size_t at) {
  std::uint16_t value = 0;
  std::memcpy(&value, &bytes.at(at + 1) - 1, sizeof value);
  return value;
}

// The value of an option, found by walking the options from `at`.
std::string option(const Bytes& block, std::size_t at, std::uint16_t code) {
  while (u16(block, at) != 0) {
    const std::size_t size = u16(block, at + 2);
    if (u16(block, at) == code) {
      return {reinterpret_cast<const char*>(&block.at(at + 4)), size};
    }
    at += 4 + (size + 3) / 4 * 4;
  }
  return "no such option";
}

std::vector<std::byte> frame_of(std::size_t size) {
  std::vector<std::byte> frame(size);
  for (std::size_t i = 0; i < size; ++i) frame[i] = static_cast<std::byte>(i * 7);
  return frame;
}

Bytes packet_with(const std::string& comment) {
  Bytes block;
  const EnhancedPacket packet{.data = {}, .comments = {comment}};
  append_packet(block, packet);
  EXPECT_EQ(size_of(packet), block.size());
  return block;
}
constexpr std::size_t kPacketOptions = 28;  // of a packet without data

TEST(Pcapng, LibpcapReadsBackEveryLengthModuloFourWithNanoseconds) {
  Bytes file;
  append_section_header(file, "nids-xdp");
  append_interface(file, {.name = "eth0", .description = "the uplink"});
  for (std::size_t size = 0; size < 9; ++size) {
    append_packet(file, {.time = {1'795'341'600'123'456'789 + size},
                         .original_len = 1500,
                         .data = frame_of(size),
                         .comments = {std::string(size, 'c'), "second"}});
  }
  const Capture capture = read_back(file);
  ASSERT_TRUE(capture);
  EXPECT_EQ(pcap_datalink(capture.get()), DLT_EN10MB);
  pcap_pkthdr* header = nullptr;
  const u_char* data = nullptr;
  for (std::size_t size = 0; size < 9; ++size) {
    ASSERT_EQ(pcap_next_ex(capture.get(), &header, &data), 1) << pcap_geterr(capture.get());
    EXPECT_EQ(header->ts.tv_sec, 1'795'341'600);
    EXPECT_EQ(header->ts.tv_usec, static_cast<suseconds_t>(123'456'789 + size));
    EXPECT_EQ(header->len, 1500u);
    ASSERT_EQ(header->caplen, size);
    const auto bytes = std::as_bytes(std::span(data, header->caplen));
    EXPECT_EQ(Bytes(bytes.begin(), bytes.end()), frame_of(size));
  }
  EXPECT_EQ(pcap_next_ex(capture.get(), &header, &data), PCAP_ERROR_BREAK);
}

TEST(Pcapng, BlocksTellTheirLengthAtBothEnds) {
  Bytes file;
  append_section_header(file, "an odd name");
  append_interface(file, {.name = "eth0", .description = ""});
  append_packet(file, {.data = frame_of(5), .comments = {"comment"}});
  std::size_t at = 0;
  int blocks = 0;
  while (at < file.size()) {
    const std::size_t length = u32(file, at + 4);
    EXPECT_EQ(length % 4, 0u);
    ASSERT_EQ(u32(file, at + length - 4), length);
    at += length;
    ++blocks;
  }
  EXPECT_EQ(at, file.size());
  EXPECT_EQ(blocks, 3);
}

TEST(Pcapng, InterfacesCarryTheirNamesAndNanosecondResolution) {
  Bytes block;
  append_interface(block, {.name = "eth0", .description = "the uplink", .snap_len = 96});
  EXPECT_EQ(u32(block, 12), 96u);
  EXPECT_EQ(option(block, 16, 2), "eth0");
  EXPECT_EQ(option(block, 16, 3), "the uplink");
  EXPECT_EQ(option(block, 16, 9), "\x09");
}

TEST(Pcapng, AnEmptyDescriptionIsLeftOut) {
  Bytes block;
  append_interface(block, {.name = "eth0", .description = ""});
  EXPECT_EQ(option(block, 16, 3), "no such option");
}

TEST(Pcapng, DirectionIsInTheFlags) {
  for (const bool outbound : {false, true}) {
    Bytes block;
    append_packet(block, {.data = {}, .outbound = outbound});
    EXPECT_EQ(option(block, kPacketOptions, 2),
              std::string(outbound ? "\x02" : "\x01") + std::string(3, '\0'));
  }
}

TEST(Pcapng, AnOriginalLengthBelowTheDataIsRaised) {
  Bytes block;
  append_packet(block, {.original_len = 3, .data = frame_of(8)});
  EXPECT_EQ(u32(block, 24), 8u);
}

TEST(Pcapng, ACommentOfTheLargestSizeIsKeptWhole) {
  const std::string comment(65'535, 'x');
  EXPECT_EQ(option(packet_with(comment), kPacketOptions, 1), comment);
}

TEST(Pcapng, ALongerCommentIsCutBetweenCharacters) {
  for (const std::string character : {"x", "\u00e9", "\u20ac", "\U0001f600"}) {
    std::string comment;
    while (comment.size() < 65'540) comment += character;
    const std::string kept = option(packet_with(comment), kPacketOptions, 1);
    EXPECT_EQ(kept.size(), 65'535 / character.size() * character.size());
    EXPECT_EQ(kept, comment.substr(0, kept.size()));
  }
}

TEST(Pcapng, ALongerCommentThatIsNoUtf8IsCutAtTheLimit) {
  const std::string kept = option(packet_with(std::string(70'000, '\x80')), kPacketOptions, 1);
  EXPECT_EQ(kept.size(), 65'535u);
}

}  // namespace
}  // namespace nids::pcapng
