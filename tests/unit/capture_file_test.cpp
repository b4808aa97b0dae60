// SPDX-License-Identifier: Apache-2.0
#include "source/capture_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pcap/dlt.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "retain/pcapng.hpp"

namespace nids {
namespace {

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

constexpr std::uint32_t kMicro = 0xa1b2c3d4;
constexpr std::uint32_t kNano = 0xa1b23c4d;

std::string pcap_header(std::uint32_t link_type = DLT_EN10MB, std::uint32_t magic = kMicro,
                        std::uint32_t snap_len = 262'144) {
  std::string out;
  put(out, magic);
  put(out, std::uint16_t{2});
  put(out, std::uint16_t{4});
  put(out, std::uint64_t{0});
  put(out, snap_len);
  put(out, link_type);
  return out;
}

std::string record(const std::string& bytes, std::uint32_t seconds, std::uint32_t fraction,
                   std::uint32_t wire_len) {
  std::string out;
  put(out, seconds);
  put(out, fraction);
  put(out, static_cast<std::uint32_t>(bytes.size()));
  put(out, wire_len);
  return out + bytes;
}

std::string packet_bytes(unsigned i) { return std::string(i % 1500, static_cast<char>(i)); }

std::string capture_of(unsigned packets) {
  std::string out = pcap_header();
  for (unsigned i = 0; i < packets; ++i) out += record(packet_bytes(i), i, i, 1500);
  return out;
}

std::string gzip(const std::string& data) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, data.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd(const std::string& data) {
  std::string out(ZSTD_compressBound(data.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), data.data(), data.size(), 3));
  return out;
}

class CaptureFileTest : public ::testing::Test {
 protected:
  CaptureFileTest() {
    std::string pattern = ::testing::TempDir() + "capture.XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
  }
  ~CaptureFileTest() override { std::filesystem::remove_all(directory_); }

  std::string write(const std::string& data) {
    const std::string path = directory_ + "/file";
    std::ofstream(path, std::ios::binary) << data;
    return path;
  }

  std::string open_error(const std::string& path) {
    const auto file = CaptureFile::open(path);
    return file ? "no error" : file.error().message();
  }

  // The one packet of a capture.
  Frame only_frame(const std::string& data) {
    file_.emplace(std::move(*CaptureFile::open(write(data))));
    const auto frame = file_->next();
    EXPECT_TRUE(frame && *frame);
    return **frame;
  }

  std::string directory_;
  std::optional<CaptureFile> file_;
};

// Packets read before the end, and how it ended.
struct Reading {
  unsigned packets = 0;
  std::string error{};
};

Reading read_all(const std::string& path) {
  Reading reading;
  auto file = CaptureFile::open(path);
  if (!file) return {.error = file.error().message()};
  for (;;) {
    const auto frame = file->next();
    if (!frame) {
      reading.error = frame.error().message();
      const auto again = file->next();
      EXPECT_TRUE(!again && again.error().message() == reading.error);
      return reading;
    }
    if (!*frame) {
      const auto again = file->next();
      EXPECT_TRUE(again && !*again);
      return reading;
    }
    const auto expected = packet_bytes(reading.packets);
    const auto& bytes = (*frame)->bytes;
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), expected);
    EXPECT_EQ((*frame)->wire_len, 1500u);
    EXPECT_EQ((*frame)->time.ns, reading.packets * 1'000'001'000ull);
    ++reading.packets;
  }
}

void expect_whole(const Reading& reading, unsigned packets) {
  EXPECT_EQ(reading.error, "");
  EXPECT_EQ(reading.packets, packets);
}

// For damage that may change packets before it is noticed.
std::string error_at_the_end(const std::string& path) {
  auto file = CaptureFile::open(path);
  if (!file) return file.error().message();
  for (;;) {
    const auto frame = file->next();
    if (!frame) return frame.error().message();
    if (!*frame) return "";
  }
}

TEST_F(CaptureFileTest, PlainGzipAndZstdGiveTheSamePackets) {
  const std::string plain = capture_of(2000);
  expect_whole(read_all(write(plain)), 2000);
  expect_whole(read_all(write(gzip(plain))), 2000);
  expect_whole(read_all(write(zstd(plain))), 2000);
}

TEST_F(CaptureFileTest, CompressedPartsInARowAreOneFile) {
  const std::string plain = capture_of(2000);
  const std::string a = plain.substr(0, 12'345);
  const std::string b = plain.substr(12'345);
  expect_whole(read_all(write(gzip(a) + gzip("") + gzip(b))), 2000);
  expect_whole(read_all(write(zstd(a) + zstd("") + zstd(b))), 2000);
}

TEST_F(CaptureFileTest, AZstdFileMayBeginWithASkippableFrame) {
  const std::string skippable("\x50\x2a\x4d\x18\x02\x00\x00\x00hi", 10);
  expect_whole(read_all(write(skippable + zstd(capture_of(3)))), 3);
}

TEST_F(CaptureFileTest, PcapngIsReadWithNanoseconds) {
  pcapng::Bytes bytes;
  pcapng::append_section_header(bytes, "test");
  pcapng::append_interface(bytes, {.name = "eth0", .description = ""});
  const std::vector<std::byte> data(60);
  pcapng::append_packet(bytes,
                        {.time = {1'795'341'600'123'456'789}, .original_len = 99, .data = data});
  const Frame frame = only_frame({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  EXPECT_EQ(frame.time.ns, 1'795'341'600'123'456'789u);
  EXPECT_EQ(frame.wire_len, 99u);
  EXPECT_EQ(frame.bytes.size(), 60u);
}

// Builds pcapng blocks in either byte order and with any lengths.
class Pcapng {
 public:
  explicit Pcapng(bool is_big_endian) : is_big_endian_(is_big_endian) { section(); }

  Pcapng& section() {
    return block(0x0a0d0d0a, u32(0x1a2b3c4d) + u16(1) + u16(0) + std::string(8, '\xff'));
  }
  Pcapng& interface(std::uint32_t snap_len) {
    return block(1, u16(DLT_EN10MB) + u16(0) + u32(snap_len));
  }
  Pcapng& simple(const std::string& captured, std::uint32_t original) {
    return block(3, u32(original) + padded(captured));
  }
  Pcapng& enhanced(const std::string& captured, std::uint32_t original, std::uint32_t interface) {
    const auto length = static_cast<std::uint32_t>(captured.size());
    return block(6,
                 u32(interface) + u32(0) + u32(0) + u32(length) + u32(original) + padded(captured));
  }
  Pcapng& obsolete(const std::string& captured, std::uint32_t original) {
    const auto length = static_cast<std::uint32_t>(captured.size());
    return block(
        2, u16(0) + u16(0) + u32(0) + u32(0) + u32(length) + u32(original) + padded(captured));
  }
  Pcapng& block(std::uint32_t type, const std::string& body) {
    const auto total = u32(static_cast<std::uint32_t>(body.size()) + 12);
    bytes_ += u32(type) + total + body + total;
    return *this;
  }
  std::string u32(std::uint32_t value) const { return in_order(value, 4); }
  std::string u16(std::uint16_t value) const { return in_order(value, 2); }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string in_order(std::uint32_t value, unsigned size) const {
    std::string out;
    for (unsigned i = 0; i < size; ++i)
      out += static_cast<char>(value >> 8 * (is_big_endian_ ? size - 1 - i : i));
    return out;
  }
  static std::string padded(std::string data) {
    data.resize((data.size() + 3) / 4 * 4, '\xee');
    return data;
  }

  bool is_big_endian_;
  std::string bytes_;
};

// Each packet as "bytes/original length". An error that ends the file is last.
std::vector<std::string> packets_of(const std::string& path) {
  auto file = CaptureFile::open(path);
  if (!file) return {file.error().message()};
  std::vector<std::string> packets;
  for (;;) {
    const auto frame = file->next();
    if (!frame) packets.push_back(frame.error().message());
    if (!frame || !*frame) return packets;
    const auto& bytes = (*frame)->bytes;
    packets.push_back(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()) + "/" +
                      std::to_string((*frame)->wire_len));
  }
}

TEST_F(CaptureFileTest, ASimplePacketBlockHoldsAsMuchAsTheSnapLengthAllows) {
  const std::string a(60, 'a'), b(61, 'b'), c(42, 'c');
  for (const bool is_big_endian : {false, true}) {
    for (const std::uint32_t limit : {0u, 61u, 62u, 262'144u, 0xffff'ffffu})
      EXPECT_EQ(packets_of(write(Pcapng(is_big_endian)
                                     .interface(limit)
                                     .simple(a, 60)
                                     .simple(b, 61)
                                     .simple("", 0)
                                     .simple(c, 42)
                                     .bytes())),
                (std::vector{a + "/60", b + "/61", std::string("/0"), c + "/42"}))
          << limit;
    // The first 61 bytes of longer packets; 64 with the padding.
    EXPECT_EQ(packets_of(write(Pcapng(is_big_endian)
                                   .interface(61)
                                   .simple(b, 1500)
                                   .simple(c, 42)
                                   .simple(b, 0xffff'ffff)
                                   .bytes())),
              (std::vector{b + "/1500", c + "/42", b + "/4294967295"}));
  }
}

TEST_F(CaptureFileTest, SimplePacketBlocksFollowTheFirstInterfaceOfTheirSection) {
  const std::string a(60, 'a'), b(97, 'b'), c(1500, 'c');
  for (const bool is_big_endian : {false, true})
    EXPECT_EQ(
        packets_of(write(Pcapng(is_big_endian)
                             .interface(60)
                             .interface(1500)
                             .simple(a, 1000)
                             .enhanced(c, 9000, 1)
                             .block(5, std::string(20, 'x'))
                             .obsolete(a, 60)
                             .simple(a, 1001)
                             .section()
                             .interface(97)
                             .simple(b, 1002)
                             .section()
                             .interface(0)
                             .simple(c, 1500)
                             .bytes())),
        (std::vector{a + "/1000", c + "/9000", a + "/60", a + "/1001", b + "/1002", c + "/1500"}));
}

TEST_F(CaptureFileTest, MoreSimplePacketBlocksThanAreReadAheadKeepTheirLengths) {
  Pcapng file(false);
  file.interface(14);
  constexpr std::uint32_t kCount = 50'000;
  for (std::uint32_t i = 0; i < kCount; ++i) file.simple(std::string(14, 'a'), 14 + i);
  for (const std::string& data : {file.bytes(), gzip(file.bytes())}) {
    const auto packets = packets_of(write(data));
    ASSERT_EQ(packets.size(), kCount);
    for (std::uint32_t i = 0; i < kCount; ++i)
      ASSERT_EQ(packets[i], "aaaaaaaaaaaaaa/" + std::to_string(14 + i));
  }
}

TEST_F(CaptureFileTest, AWrongLengthOfASimplePacketBlockIsAnError) {
  const std::string a(60, 'a');
  for (const bool is_big_endian : {false, true}) {
    for (const auto& [limit, original] : {std::pair{0u, 61u}, {0u, 0xffff'ffffu}, {65u, 66u}}) {
      Pcapng file(is_big_endian);
      file.interface(limit).simple(a, 60).simple(a, original).simple(a, 60);
      const auto packets = packets_of(write(file.bytes()));
      ASSERT_EQ(packets.size(), 2u);
      EXPECT_EQ(packets[0], a + "/60");
      EXPECT_NE(packets[1].find("packet 2"), std::string::npos) << packets[1];
    }
    Pcapng file(is_big_endian);
    file.interface(0).simple(a, 60).block(3, "").simple(a, 60);  // without an original length
    const auto packets = packets_of(write(file.bytes()));
    ASSERT_EQ(packets.size(), 2u);
    EXPECT_NE(packets[1].find("packet 2"), std::string::npos) << packets[1];
    // Without an interface the link type is not known.
    EXPECT_EQ(packets_of(write(Pcapng(is_big_endian).interface(0).section().simple(a, 60).bytes()))
                  .size(),
              1u);
  }
}

TEST_F(CaptureFileTest, StandardInputMayBeAPipeThatGivesAByteAtATime) {
  for (const std::string& data : {capture_of(20), gzip(capture_of(20)), zstd(capture_of(20))}) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const int before = ::dup(STDIN_FILENO);
    ::dup2(ends[0], STDIN_FILENO);
    ::close(ends[0]);
    std::thread writer([&] {
      for (const char byte : data) {
        if (::write(ends[1], &byte, 1) != 1) break;
      }
      ::close(ends[1]);
    });
    expect_whole(read_all("-"), 20);
    writer.join();
    ::dup2(before, STDIN_FILENO);
    ::close(before);
  }
}

TEST_F(CaptureFileTest, ACaptureWithoutPacketsIsNoError) {
  expect_whole(read_all(write(pcap_header())), 0);
}

TEST_F(CaptureFileTest, LinkTypesThatAreTakenAreTold) {
  auto raw = CaptureFile::open(write(pcap_header(101)));
  ASSERT_TRUE(raw);
  EXPECT_EQ(raw->link_type(), DLT_RAW);
  auto cooked = CaptureFile::open(write(pcap_header(276)));
  ASSERT_TRUE(cooked);
  EXPECT_EQ(cooked->link_type(), DLT_LINUX_SLL2);
}

TEST_F(CaptureFileTest, OtherLinkTypesAreRefusedByName) {
  const std::string error = open_error(write(pcap_header(105)));
  EXPECT_NE(error.find("link type IEEE802_11 (105) is not taken"), std::string::npos) << error;
  EXPECT_NE(open_error(write(pcap_header(1000))).find("link type 1000 is"), std::string::npos);
}

TEST_F(CaptureFileTest, WhatCannotBeOpenedIsNamed) {
  EXPECT_EQ(open_error("/no/such\x1b[31m"),
            "cannot read capture file /no/such\\x1b[31m: No such file or directory\n  hint: name a "
            "capture file, or - for standard input");
  EXPECT_EQ(open_error(directory_),
            "cannot read capture file " + directory_ +
                ": Is a directory\n  hint: name a capture file, or - for standard input");
}

TEST_F(CaptureFileTest, WhatIsNoCaptureIsRefused) {
  const std::string intro = "cannot read capture file " + directory_ + "/file: ";
  EXPECT_EQ(open_error(write("")).find(intro + "it is empty"), 0u);
  EXPECT_EQ(open_error(write(gzip(""))).find(intro + "it is empty"), 0u);
  EXPECT_EQ(open_error(write("hello, this is text")).find(intro + "unknown file format"), 0u);
  EXPECT_EQ(open_error(write(zstd("hello, this is text"))).find(intro + "unknown file format"), 0u);
  EXPECT_EQ(open_error(write("\x1f\x8b")).find(intro + "the gzip data end early"), 0u);
  EXPECT_EQ(open_error(write("\x1f\x8bxxxxxxxxxxxx")).find(intro + "gzip: "), 0u);
  EXPECT_EQ(open_error(write(pcap_header().substr(0, 20))).find(intro + "truncated"), 0u);
}

TEST_F(CaptureFileTest, AFileCutInsideAPacketGivesThoseBeforeItAndAnError) {
  const std::string whole = capture_of(11);
  for (const std::size_t missing : {1u, 9u, 10u, 17u, 25u}) {
    const Reading reading = read_all(write(whole.substr(0, whole.size() - missing)));
    EXPECT_EQ(reading.packets, 10u);
    EXPECT_EQ(reading.error.find("cannot read packet 11 of capture file " + directory_ +
                                 "/file: truncated"),
              0u)
        << reading.error;
  }
}

TEST_F(CaptureFileTest, CompressedDataThatEndEarlyAreAnError) {
  const std::string whole = capture_of(500);
  for (const auto& [name, data] :
       {std::pair("gzip", gzip(whole)), std::pair("zstd", zstd(whole))}) {
    for (std::size_t size = 4; size < data.size(); size += 97) {
      const Reading reading = read_all(write(data.substr(0, size)));
      EXPECT_NE(reading.error.find(std::string("the ") + name + " data end early"),
                std::string::npos)
          << reading.error;
    }
  }
}

TEST_F(CaptureFileTest, DamagedCompressedDataAreAnError) {
  for (std::string data : {gzip(capture_of(500)), zstd(capture_of(500))}) {
    for (std::size_t at = data.size() / 2; at < data.size() / 2 + 40; ++at) data[at] = 'x';
    EXPECT_NE(error_at_the_end(write(data)), "");
  }
  EXPECT_NE(read_all(write(gzip(capture_of(5)) + "rest")).error.find("gzip: incorrect header"),
            std::string::npos);
}

TEST_F(CaptureFileTest, PacketsBeforeABadChecksumAreTakenHoweverSmallTheFile) {
  for (const unsigned count : {5u, 500u}) {
    std::string data = gzip(capture_of(count));
    data[data.size() - 8] ^= 1;  // CRC32, RFC 1952 section 2.3.1
    const Reading reading = read_all(write(data));
    EXPECT_NE(reading.error.find("gzip: incorrect data check"), std::string::npos) << reading.error;
    EXPECT_EQ(reading.packets, count);
  }
}

TEST_F(CaptureFileTest, AnAbsurdCapturedLengthIsAnError) {
  std::string data = capture_of(3);
  put(data, std::uint64_t{0});
  put(data, 0x7fff'ffffu);
  put(data, 0x7fff'ffffu);
  const Reading reading = read_all(write(data));
  EXPECT_EQ(reading.packets, 3u);
  EXPECT_NE(reading.error.find("packet 4"), std::string::npos) << reading.error;
}

TEST_F(CaptureFileTest, WireLengthIsNeverBelowWhatWasCaptured) {
  EXPECT_EQ(only_frame(pcap_header() + record("0123456789", 1, 0, 4)).wire_len, 10u);
}

TEST_F(CaptureFileTest, SecondsAreReadAsUnsignedAndFractionsStayBelowASecond) {
  EXPECT_EQ(only_frame(pcap_header(1, kNano) + record("x", 0xffff'ffff, 999'999'999, 1)).time.ns,
            4'294'967'295'999'999'999u);
  EXPECT_EQ(only_frame(pcap_header() + record("x", 1, 2'000'000, 1)).time.ns, 1'999'999'999u);
  EXPECT_EQ(only_frame(pcap_header() + record("x", 1, 0xffff'ffff, 1)).time.ns, 1'000'000'000u);
}

}  // namespace
}  // namespace nids
