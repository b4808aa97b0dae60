// SPDX-License-Identifier: Apache-2.0
// Wireshark's tools over files of ours, with every block that we write.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "retain/pcapng.hpp"
#include "support/packet_builder.hpp"

namespace nids::pcapng {
namespace {

class PcapngTools : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::system("command -v tshark capinfos mergecap editcap >/dev/null") != 0)
      GTEST_SKIP() << "tshark is not installed";
    std::filesystem::create_directories(directory);
    append_section_header(file, "nids-xdp");
    append_interface(file, {.name = "eth0", .description = "uplink", .filter = "tcp port 22"});
    append_interface(file, {.name = "eth1"});
    const auto frame = PacketBuilder{}.eth().ipv4().tcp({.dst_port = 22}).payload("x").bytes();
    for (std::uint32_t number = 0; number < 4; ++number)
      append_packet(file, {.interface = number % 2,
                           .time = {1'795'341'600'123'456'789u + number},
                           .data = frame,
                           .outbound = number % 2 == 1,
                           .comments = {"alert one", "alert two"}});
    append_statistics(file, {.interface = 0,
                             .start = {1'795'341'600'000'000'000},
                             .end = {1'795'341'700'000'000'000},
                             .received = 100,
                             .kept = 2,
                             .dropped = 7});
    append_statistics(file, {.interface = 1, .end = {1'795'341'700'000'000'000}});
    std::ofstream(directory + "/ours.pcapng", std::ios::binary)
        .write(reinterpret_cast<const char*>(file.data()),
               static_cast<std::streamsize>(file.size()));
  }
  void TearDown() override { std::filesystem::remove_all(directory); }

  // Standard output and error, and "exit N" where it is not 0.
  std::string run(const std::string& command) const {
    std::FILE* pipe = ::popen(("cd " + directory + " && " + command + " 2>&1").c_str(), "r");
    if (pipe == nullptr) return "can't be run";
    std::string text;
    std::array<char, 4096> part{};
    while (const std::size_t size = std::fread(part.data(), 1, part.size(), pipe))
      text.append(part.data(), size);
    const int status = ::pclose(pipe);
    return text + (status == 0 ? "" : "exit " + std::to_string(status));
  }
  static std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
    return found;
  }

  const std::string directory =
      std::filesystem::temp_directory_path().string() + "/nids-tools-" + std::to_string(getpid());
  Bytes file;
};

TEST_F(PcapngTools, TsharkReadsPacketsCommentsAndInterfaces) {
  const std::string text =
      run("tshark -r ours.pcapng -T fields -e frame.number -e frame.interface_name "
          "-e frame.packet_flags_direction -e frame.time_epoch -e frame.comment");
  EXPECT_EQ(count(text, "alert one,alert two"), 4u) << text;
  EXPECT_NE(text.find("2\teth1\t0x00000002\t1795341600.123456790\t"), text.npos) << text;
  EXPECT_EQ(text.find("exit"), text.npos) << text;
}

TEST_F(PcapngTools, CapinfosReadsFilterAndStatistics) {
  const std::string text = run("capinfos ours.pcapng");
  EXPECT_NE(text.find("Number of packets:   4"), text.npos) << text;
  EXPECT_NE(text.find("Name = eth0"), text.npos) << text;
  EXPECT_NE(text.find("Description = uplink"), text.npos) << text;
  EXPECT_NE(text.find("Filter string = tcp port 22"), text.npos) << text;
  EXPECT_EQ(count(text, "Number of stat entries = 1"), 2u) << text;
  EXPECT_EQ(text.find("exit"), text.npos) << text;
}

TEST_F(PcapngTools, MergecapAndEditcapKeepTheComments) {
  EXPECT_EQ(run("mergecap -w merged.pcapng ours.pcapng ours.pcapng"), "");
  EXPECT_EQ(count(run("tshark -r merged.pcapng -T fields -e frame.comment"), "alert one,alert two"),
            8u);
  EXPECT_EQ(run("editcap ours.pcapng edited.pcapng"), "");
  EXPECT_EQ(count(run("tshark -r edited.pcapng -T fields -e frame.comment"), "alert one,alert two"),
            4u);
}

}  // namespace
}  // namespace nids::pcapng
