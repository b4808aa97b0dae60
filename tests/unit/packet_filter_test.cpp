// SPDX-License-Identifier: Apache-2.0
#include "analyse/packet_filter.hpp"

#include <gtest/gtest.h>
#include <pcap/dlt.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "cli/filter_expression.hpp"
#include "source/capture_file.hpp"
#include "support/packet_builder.hpp"

namespace nids {
namespace {

const Services& services() {
  static const Services read = Services::parse("ssh 22/tcp\ndomain 53/udp\n");
  return read;
}

OwnedPacket packet_of(const PacketBuilder& builder) {
  OwnedPacket packet;
  packet.own(builder.bytes());
  packet.wire_len = packet.frame_len = static_cast<std::uint32_t>(packet.bytes.size());
  return packet;
}

OwnedPacket snapped(OwnedPacket packet, std::size_t bytes) {
  packet.bytes = packet.bytes.first(bytes);
  return packet;
}

bool matches(std::string_view expression, const Packet& packet) {
  const auto filter = compile_packet_filter(expression, services());
  EXPECT_TRUE(filter) << filter.error().message();
  return filter && filter->matches(packet);
}

std::string why_not(std::string_view expression) {
  const auto filter = compile_packet_filter(expression, services());
  EXPECT_FALSE(filter) << expression;
  return filter ? "" : filter.error().message();
}

PacketBuilder ssh_on(PacketBuilder link) {
  return link.ipv4({.src = "10.0.0.2", .dst = "10.0.0.1"})
      .tcp({.src_port = 40'000, .dst_port = 22, .flags = kTcpSyn})
      .payload("SSH-2.0-x");
}
const OwnedPacket kSsh = packet_of(ssh_on(PacketBuilder{}.eth()));
const OwnedPacket kTaggedSsh = packet_of(ssh_on(PacketBuilder{}.eth().vlan(5)));
const OwnedPacket kTwiceTaggedSsh = packet_of(ssh_on(PacketBuilder{}.eth().vlan(5).vlan(6)));

TEST(PacketFilter, AsksWhateverAPacketHolds) {
  for (const char* yes : {"", "ip", "tcp port ssh", "src host 10.0.0.2", "not host 10.0.0.3",
                          "tcp[tcpflags] & tcp-syn != 0", "tcp[20:4] = 0x5353482d", "greater 60",
                          "len = 63", "not ether multicast", "ip protochain 6"})
    EXPECT_TRUE(matches(yes, kSsh)) << yes;
  for (const char* no : {"ip6", "udp", "arp", "not host 10.0.0.1", "tcp[tcpflags] & tcp-rst != 0",
                         "less 60", "vlan", "dst port 40000"})
    EXPECT_FALSE(matches(no, kSsh)) << no;
}

TEST(PacketFilter, VlanTagsAreThoseOfACapture) {
  for (const char* yes : {"vlan", "vlan 5", "vlan and port 22", "port 22 or (vlan and port 22)"})
    EXPECT_TRUE(matches(yes, kTaggedSsh)) << yes;
  for (const char* no : {"port 22", "vlan 6", "not vlan", "vlan and vlan"})
    EXPECT_FALSE(matches(no, kTaggedSsh)) << no;
  EXPECT_TRUE(matches("vlan 5 and vlan 6 and tcp port 22", kTwiceTaggedSsh));
  EXPECT_FALSE(matches("vlan 5 and port 22", kTwiceTaggedSsh));
}

TEST(PacketFilter, LengthsAreThoseOfTheFrameAndBytesThoseThatWereCaptured) {
  const OwnedPacket cut = snapped(kSsh, 54);
  EXPECT_TRUE(matches("tcp port 22 and len = 63", cut));
  EXPECT_FALSE(matches("tcp[20:4] = 0x5353482d", cut)) << "not captured";
  EXPECT_FALSE(matches("not tcp[20:4] = 0x5353482d", cut)) << "nor known to be something else";
  EXPECT_FALSE(matches("tcp port 22", snapped(kSsh, 34)));
  EXPECT_TRUE(matches("ip", snapped(kSsh, 34)));
  EXPECT_FALSE(matches("ip", snapped(kSsh, 0)));
  EXPECT_TRUE(matches("", snapped(kSsh, 0)));
  OwnedPacket super = kSsh;
  super.wire_len = 100 * super.frame_len;
  EXPECT_TRUE(matches("len = 63", super)) << "the frame, and not all that it stands for";
}

TEST(PacketFilter, InATunnelTheOuterHeadersAreMeant) {
  const OwnedPacket tunnelled = packet_of(ssh_on(PacketBuilder{}
                                                     .eth()
                                                     .ipv4({.src = "192.0.2.1", .dst = "192.0.2.2"})
                                                     .udp({.dst_port = kVxlanPort})
                                                     .vxlan()
                                                     .eth()));
  EXPECT_TRUE(matches("udp and host 192.0.2.1", tunnelled));
  EXPECT_FALSE(matches("tcp port 22", tunnelled));
}

TEST(PacketFilter, LoopsEndHoweverThePacketIsMade) {
  PacketBuilder chain = PacketBuilder{}.eth().ipv6();
  for (int i = 0; i < 200; ++i) chain.extension(60);
  const OwnedPacket packet = packet_of(chain);
  EXPECT_FALSE(matches("ip6 protochain 6", packet));
  EXPECT_FALSE(matches("ip6 protochain 6", snapped(packet, 99)));
}

TEST(PacketFilter, NoNameIsLookedUp) {
  EXPECT_NE(why_not("host example.org").find("\"example.org\" is a name"), std::string::npos);
  EXPECT_NE(why_not("tcp port gopher").find("no port's name"), std::string::npos);
}

TEST(PacketFilter, LibpcapsReasonComesWithThePlaceUpToWhichItUnderstood) {
  const auto says = [](std::string_view expression, std::string_view part) {
    const std::string message = why_not(expression);
    EXPECT_NE(message.find(part), message.npos) << message;
  };
  says("host 10.0.0.1 and", "syntax error; understood up to column 13, \"host 10.0.0.1\"");
  says("tcp port ssh and (port 53 or", "understood up to column 25, \"tcp port ssh and (port 53\"");
  says("tcp port 22 port", "understood up to column 11, \"tcp port 22\"");
  says("vlan 5000", "4095");
  says("vlan 5000", "understood up to column 4, \"vlan\"");
  says("port 22)", "understood up to column 7, \"port 22\"");
  says("port port", "syntax error\n");
  says("ip and ip6", "rejects all packets\n");
}

TEST(PacketFilter, AProgramThatIsNoneIsRefused) {
  EXPECT_FALSE(PacketFilter::of({}));
  EXPECT_FALSE(PacketFilter::of(std::vector<FilterInstruction>{{0x28, 0, 0, 12}})) << "no end";
}

// One raw packet behind a link header, in a capture file of that link type.
class PacketFilterOfFile : public ::testing::Test {
 protected:
  ~PacketFilterOfFile() override { std::filesystem::remove(path_); }

  void write(std::uint32_t dlt, const std::string& link, std::string_view version,
             bool is_swapped = false) {
    std::string frame = link;
    const PacketBuilder packet =
        version == "6" ? PacketBuilder{}.ipv6().udp({.dst_port = 53}) : ssh_on(PacketBuilder{});
    for (const auto byte : packet.bytes()) frame.push_back(static_cast<char>(byte));
    const auto length = static_cast<std::uint32_t>(frame.size());
    std::string data;
    const auto put = [&](std::uint32_t word) {
      if (is_swapped) word = __builtin_bswap32(word);
      data.append(reinterpret_cast<const char*>(&word), sizeof(word));
    };
    const std::uint32_t words[] = {
        0xa1b2c3d4, is_swapped ? 0x0002'0004u : 0x0004'0002u, 0, 0, 65'535, dlt};
    for (const std::uint32_t word : words) put(word);
    for (const std::uint32_t word : {1u, 0u, length, length}) put(word);
    std::ofstream(path_, std::ios::binary) << data << frame;
  }

  bool matches(std::string_view expression) {
    auto file = CaptureFile::open(path_);
    EXPECT_TRUE(file) << file.error().message();
    const auto filter = compile_packet_filter(expression, services(), file->libpcap());
    EXPECT_TRUE(filter) << filter.error().message();
    const auto frame = file->next();
    EXPECT_TRUE(frame && *frame);
    Packet packet;
    packet.frame_len = (*frame)->wire_len;
    packet.bytes = (*frame)->bytes;
    return filter && filter->matches(packet);
  }

  std::string path_ = ::testing::TempDir() + "filter-" + std::to_string(::getpid());
};

using namespace std::string_literals;

TEST_F(PacketFilterOfFile, EachLinkTypeHasItsOwnOffsets) {
  struct {
    std::uint32_t dlt;
    std::string link;
  } const types[] = {{101, ""},
                     {12, ""},
                     {14, ""},
                     {228, ""},
                     {0, "\x02\0\0\0"s},
                     {108, "\0\0\0\x02"s},
                     {113, "\0\0\0\x01\0\x06\x02\0\0\0\0\x01\0\0\x08\0"s},
                     {276, "\x08\0\0\0\0\0\0\x01\0\x01\0\x06\x02\0\0\0\0\x01\0\0"s},
                     {9, "\xff\x03\0\x21"s}};
  for (const auto& [dlt, link] : types) {
    write(dlt, link, "4");
    EXPECT_TRUE(matches("tcp port 22 and host 10.0.0.1")) << dlt;
    EXPECT_FALSE(matches("not port 22")) << dlt;
    EXPECT_FALSE(matches("src host 10.0.0.1")) << dlt;
  }
}

TEST_F(PacketFilterOfFile, ANullHeaderIsReadInTheByteOrderOfTheFile) {
  write(0, "\0\0\0\x02"s, "4", true);
  EXPECT_TRUE(matches("tcp port 22"));
  write(0, "\x1e\0\0\0"s, "6");
  EXPECT_TRUE(matches("ip6 and udp port domain"));
}

TEST_F(PacketFilterOfFile, WhatTheLinkTypeHasNotIsRefused) {
  write(101, "", "4");
  auto file = CaptureFile::open(path_);
  ASSERT_TRUE(file);
  EXPECT_FALSE(compile_packet_filter("ether host 02:00:00:00:00:01", services(), file->libpcap()));
  EXPECT_TRUE(compile_packet_filter("ether host 02:00:00:00:00:01", services()));
}

}  // namespace
}  // namespace nids
