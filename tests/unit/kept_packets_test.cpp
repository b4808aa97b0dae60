// SPDX-License-Identifier: Apache-2.0
#include "retain/kept_packets.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "retain/capture_writer.hpp"
#include "support/kept_directory.hpp"

namespace nids {
namespace {

class KeptPacketsTest : public ::testing::Test {
 protected:
  void SetUp() override { fd = ::open(kept.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }
  void TearDown() override { ::close(fd); }

  WantedParts all() const {
    WantedParts parts;
    for (const auto& [name, bytes] : kept.files)
      parts[name] = {.first = {}, .is_whole = true, .offsets = {}, .complete = bytes.size()};
    return parts;
  }
  WantedParts of_flow(std::uint64_t id) const {
    WantedParts parts;
    for (const auto& [key, span] : kept.spans)
      if (key.second == id) parts[key.first] = {.first = span.first, .offsets = span.offsets};
    return parts;
  }
  // Seconds of the packets, in the order in which they come.
  std::vector<std::uint64_t> seconds(WantedParts parts, KeptPackets::Wish wish = everything) {
    KeptPackets packets(fd, std::move(parts), std::move(wish));
    std::vector<std::uint64_t> found;
    while (const auto packet = packets.next()) {
      EXPECT_EQ(packet->interface.name, "eth0");
      found.push_back((packet->packet.time.ns - kSampleStart.ns) / 1'000'000'000);
    }
    EXPECT_FALSE(packets.next()) << "the end stays the end";
    troubles.clear();
    for (const Error& trouble : packets.troubles()) troubles.push_back(trouble.message());
    return found;
  }
  static bool everything(const pcapng::PacketBlock&, const pcapng::Interface&) { return true; }

  using Seconds = std::vector<std::uint64_t>;
  KeptDirectory kept{"kept-packets"};
  const KeptFlow one = KeptDirectory::flow(1, 40'001), other = KeptDirectory::flow(2, 40'002);
  int fd = -1;
  std::vector<std::string> troubles;
};

TEST_F(KeptPacketsTest, SegmentsThatOverlapAreMergedByTime) {
  for (const std::uint64_t second : {1, 4, 5, 9}) kept.add(1, one, second);
  for (const std::uint64_t second : {2, 3, 6}) kept.add(2, other, second);
  for (const std::uint64_t second : {20, 21}) kept.add(3, one, second);
  kept.write_files();
  EXPECT_EQ(seconds(all()), (Seconds{1, 2, 3, 4, 5, 6, 9, 20, 21}));
  EXPECT_EQ(seconds(of_flow(1)), (Seconds{1, 4, 5, 9, 20, 21}));
  EXPECT_EQ(troubles, std::vector<std::string>{});
}

TEST_F(KeptPacketsTest, PacketsThatWereHeldBackFindTheirPlace) {
  for (const std::uint64_t second : {8, 2, 9, 1}) kept.add(1, one, second);
  kept.write_files();
  EXPECT_EQ(seconds(all()), (Seconds{1, 2, 8, 9}));
}

TEST_F(KeptPacketsTest, ThoseThatAreNotWishedForAreLeftOut) {
  for (const std::uint64_t second : {1, 2, 3}) kept.add(1, one, second);
  kept.write_files();
  const auto wish = [](const pcapng::PacketBlock& packet, const pcapng::Interface&) {
    return packet.time.ns != kSampleStart.ns + 2'000'000'000;
  };
  EXPECT_EQ(seconds(all(), wish), (Seconds{1, 3}));
}

TEST_F(KeptPacketsTest, AnOffsetThatIsGivenTwiceIsOnePacket) {
  kept.add(1, one, 1);
  kept.write_files();
  auto parts = of_flow(1);
  auto& offsets = parts.begin()->second.offsets;
  offsets.push_back(offsets.front());
  EXPECT_EQ(seconds(parts), Seconds{1});
}

TEST_F(KeptPacketsTest, ASegmentThatIsGoneIsSaidToBe) {
  kept.add(1, one, 1);
  kept.add(2, one, 2);
  kept.write_files();
  std::filesystem::remove(kept.path + "/" + KeptDirectory::name_of(1).file());
  EXPECT_EQ(seconds(of_flow(1)), Seconds{2});
  ASSERT_EQ(troubles.size(), 1u);
  EXPECT_NE(troubles[0].find("was deleted meanwhile"), std::string::npos) << troubles[0];
}

TEST_F(KeptPacketsTest, ALinkInThePlaceOfASegmentIsNotFollowed) {
  kept.add(1, one, 1);
  kept.write_files();
  const std::string file = kept.path + "/" + KeptDirectory::name_of(1).file();
  std::filesystem::rename(file, kept.path + "/elsewhere");
  std::filesystem::create_symlink("elsewhere", file);
  EXPECT_EQ(seconds(of_flow(1)), Seconds{});
  EXPECT_EQ(troubles.size(), 1u);
}

TEST_F(KeptPacketsTest, WhatLiesBeforeDamageIsTaken) {
  kept.add(1, one, 1);
  const auto damaged = kept.add(1, one, 2);
  kept.add(1, one, 3);
  kept.add(2, other, 4);
  kept.files[KeptDirectory::name_of(1)][damaged + 4] = std::byte{1};
  kept.write_files();
  EXPECT_EQ(seconds(all()), (Seconds{1, 4}));
  ASSERT_EQ(troubles.size(), 1u);
  EXPECT_NE(troubles[0].find("at byte " + std::to_string(damaged)), std::string::npos);
  EXPECT_EQ(seconds(of_flow(1)), (Seconds{1, 3})) << "the index knows where others stand";
  EXPECT_EQ(troubles.size(), 1u);
}

TEST_F(KeptPacketsTest, ABlockThatIsBeingWrittenIsNoDamage) {
  kept.add(1, one, 1);
  auto& file = kept.files[KeptDirectory::name_of(1)];
  const std::size_t complete = file.size();
  kept.add(1, one, 2);
  file.erase(file.end() - 3, file.end());
  kept.write_files();
  auto parts = all();
  parts.begin()->second.complete = complete;
  EXPECT_EQ(seconds(parts), Seconds{1});
  EXPECT_EQ(troubles.size(), 0u);
  parts.begin()->second.complete = file.size();
  EXPECT_EQ(seconds(parts), Seconds{1});
  EXPECT_EQ(troubles.size(), 1u);
}

// What a writer made of packets on these interfaces.
pcapng::Bytes written(CaptureFormat format, const std::vector<pcapng::Interface>& interfaces,
                      Result<void>* result = nullptr) {
  pcapng::Bytes out;
  CaptureWriter writer(format, [&out](std::span<const std::byte> bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
    return Result<void>();
  });
  const auto data = KeptDirectory::frame(40'000, 5);
  Result<void> done;
  for (const pcapng::Interface& interface : interfaces) {
    pcapng::PacketBlock packet;
    packet.time = {kSampleStart.ns + 123'456'789};
    packet.original_len = 1500;
    packet.data = data;
    packet.outbound = true;
    packet.comments = {"first", "second"};
    if (done) done = writer.add(packet, interface);
  }
  if (done) done = writer.finish();
  if (result != nullptr) *result = done;
  return out;
}

pcapng::Reader reader_of(const pcapng::Bytes& file) {
  return pcapng::Reader([&file](std::uint64_t offset, std::span<std::byte> into) {
    const std::size_t there =
        offset < file.size() ? std::min<std::size_t>(file.size() - offset, into.size()) : 0;
    for (std::size_t i = 0; i < there; ++i) into[i] = file[offset + i];
    return there;
  });
}

TEST(CaptureWriter, InterfacesOfOneNameAndLinkTypeBecomeOne) {
  const pcapng::Bytes file =
      written(CaptureFormat::kPcapng, {{.name = "eth0", .description = "up", .snap_len = 96},
                                       {.name = "eth1"},
                                       {.name = "eth0"},
                                       {.name = "eth0", .link_type = 101},
                                       {.name = "eth1"}});
  pcapng::Reader reader = reader_of(file);
  std::vector<std::uint32_t> indexes;
  for (;;) {
    const auto packet = reader.next();
    ASSERT_TRUE(packet);
    if (!*packet) break;
    indexes.push_back((*packet)->interface);
    EXPECT_EQ((*packet)->time.ns, kSampleStart.ns + 123'456'789);
    EXPECT_EQ((*packet)->original_len, 1500u);
    EXPECT_TRUE((*packet)->outbound);
    EXPECT_EQ((*packet)->comments, (std::vector<std::string_view>{"first", "second"}));
  }
  EXPECT_EQ(indexes, (std::vector<std::uint32_t>{0, 1, 0, 2, 1}));
  EXPECT_EQ(reader.interfaces()[0].description, "up");
  EXPECT_EQ(reader.interfaces()[0].snap_len, 0u);
}

TEST(CaptureWriter, PcapKeepsNanosecondsAndTakesOneLinkType) {
  const pcapng::Bytes file = written(CaptureFormat::kPcap, {{.name = "eth0"}, {.name = "eth1"}});
  std::uint32_t words[10]{};
  ASSERT_GE(file.size(), sizeof(words));
  std::memcpy(words, file.data(), sizeof(words));
  EXPECT_EQ(words[0], 0xa1b23c4du);
  EXPECT_EQ(words[5], 1u);
  EXPECT_EQ(words[6], 1'795'341'600u);
  EXPECT_EQ(words[7], 123'456'789u);
  EXPECT_EQ(words[9], 1500u);
  Result<void> result;
  written(CaptureFormat::kPcap, {{.name = "eth0"}, {.name = "tun0", .link_type = 101}}, &result);
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message().find("--format pcapng"), std::string::npos);
}

TEST(CaptureWriter, PcapEndsIn2106AndSaysSo) {
  const auto added = [](CaptureFormat format, std::uint64_t seconds) {
    CaptureWriter writer(format, [](auto) { return Result<void>{}; });
    const pcapng::PacketBlock packet{.time = {seconds * 1'000'000'000}};
    return writer.add(packet, {.name = "eth0"});
  };
  EXPECT_TRUE(added(CaptureFormat::kPcap, 0xffff'ffff));
  EXPECT_TRUE(added(CaptureFormat::kPcapng, 0x1'0000'0000));
  const auto refused = added(CaptureFormat::kPcap, 0x1'0000'0000);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("--format pcapng"), std::string::npos);
}

TEST(CaptureWriter, AFileWithoutPacketsIsOneAllTheSame) {
  EXPECT_EQ(written(CaptureFormat::kPcap, {}).size(), 24u);
  const pcapng::Bytes file = written(CaptureFormat::kPcapng, {});
  EXPECT_FALSE(file.empty());
  pcapng::Reader reader = reader_of(file);
  const auto packet = reader.next();
  EXPECT_TRUE(packet && !*packet);
}

TEST(CaptureWriter, WhatTheSinkRefusesIsTheError) {
  CaptureWriter writer(CaptureFormat::kPcapng, [](std::span<const std::byte>) {
    return Error{.action = "write", .error_number = ENOSPC};
  });
  EXPECT_EQ(writer.finish().error().error_number, ENOSPC);
}

}  // namespace
}  // namespace nids
