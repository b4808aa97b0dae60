// SPDX-License-Identifier: Apache-2.0
// `pcap export` over a directory of kept packets.
#include <pcap/pcap.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include "cli/output_file.hpp"
#include "kernel/handle.hpp"
#include "support/ask_case.hpp"

namespace nids {
namespace {

using Export = Ask;

TEST_F(Export, ExportByAlertHasItsWholeFlowInOrder) {
  choice.alert = 1;
  ASSERT_EQ(run_export(), kOk) << err.str();
  EXPECT_EQ(exported(), (Seconds{1, 3, 5}));
  EXPECT_SAYS(err.str(), "3 packets, ");
  choice.since = "2026-11-22T10:00:02Z";
  choice.until = "2026-11-22T10:00:04Z";
  ASSERT_EQ(run_export(), kOk);
  EXPECT_EQ(exported(), Seconds{3});
}

TEST_F(Export, ExportByFlowAndByFilter) {
  choice.flow = "1:flow8=";
  ASSERT_EQ(run_export(), kOk);
  EXPECT_EQ(exported(), (Seconds{2, 4}));
  choice.flow.reset();
  choice.filter = "tcp";
  ASSERT_EQ(run_export(), kOk);
  EXPECT_EQ(exported(), (Seconds{1, 2, 3, 4, 5}));
  choice.filter = "port ssh and src port 40007 and greater 58";
  ASSERT_EQ(run_export(), kOk);
  EXPECT_EQ(exported(), Seconds{5});
  choice.filter = "tcp";
  choice.since = "2026-11-22T10:00:03Z";
  ASSERT_EQ(run_export(), kOk);
  EXPECT_EQ(exported(), (Seconds{3, 4, 5}));
  choice.filter = "udp";
  ASSERT_EQ(run_export(), kOk);
  EXPECT_EQ(exported(), Seconds{});
}

TEST_F(Export, WhatIsNotIndexedYetIsFoundByFilter) {
  kept.add(2, seven, 6);
  kept.add(3, seven, 7);
  kept.write_files();
  choice.filter = "tcp";
  choice.since = "2026-11-22T10:00:06Z";
  ASSERT_EQ(run_export(), kOk);
  EXPECT_EQ(exported(), (Seconds{6, 7}));
}

TEST_F(Export, ExportWantsOneChoiceThatMeansSomething) {
  EXPECT_EQ(run_export(), kUsage);
  choice.alert = 1;
  choice.flow = "1:flow7=";
  EXPECT_EQ(run_export(), kUsage);
  choice = {.filter = "host example.org", .retain = kept.path};
  EXPECT_EQ(run_export(), kUsage);
  EXPECT_SAYS(err.str(), "names are not looked up");
  choice = {.filter = "tcp", .since = "tomorrow", .retain = kept.path};
  EXPECT_EQ(run_export(), kUsage);
  choice = {.filter = "tcp", .since = "1h", .until = "2h", .retain = kept.path};
  EXPECT_EQ(run_export(), kUsage);
  EXPECT_SAYS(err.str(), "--since is later than --until");
  EXPECT_EQ(run_pcap_list(choice, false, io), kUsage);
  choice = {.alert = 99, .retain = kept.path};
  EXPECT_EQ(run_export(), kFailed);
  choice.alert = 2;
  EXPECT_EQ(run_export(), kFailed);
  EXPECT_SAYS(err.str(), "none was kept");
  choice = {.flow = "1:nobody=", .retain = kept.path};
  EXPECT_EQ(run_export(), kFailed);
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(Export, ASegmentThatIsGoneAndOneThatLiesMakeTheExportDegraded) {
  std::filesystem::remove(kept.path + "/" + KeptDirectory::name_of(2).file());
  choice.alert = 1;
  EXPECT_EQ(run_export(), kDegraded);
  EXPECT_EQ(exported(), (Seconds{1, 3}));
  EXPECT_SAYS(err.str(), "deleted meanwhile");
  auto& bytes = kept.files[KeptDirectory::name_of(1)];
  bytes[kept.spans.at({KeptDirectory::name_of(1), 7}).offsets[1] + 4] = std::byte{3};
  kept.write_files();
  choice = {.filter = "tcp", .retain = kept.path};
  EXPECT_EQ(run_export(), kDegraded);
  EXPECT_EQ(exported(), (Seconds{1, 2, 4, 5}));
}

TEST_F(Export, AFileIsReplacedWholeOrNotAtAll) {
  std::ofstream(file) << "precious";
  kept.add(3, seven, 60'000);  // and as many bytes
  kept.alerts.clear();
  kept.write();
  choice.flow = "1:flow7=";
  rlimit before{}, small{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  small = before;
  small.rlim_cur = 50'000;  // SQLite wants some, too
  auto* old = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Exit code = run_export();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, old);
  EXPECT_EQ(code, kFailed);
  EXPECT_SAYS(err.str(), "File too large");
  EXPECT_EQ(std::filesystem::file_size(file), 8u);
  EXPECT_FALSE(has_leftovers());
  EXPECT_EQ(run_export(), kOk);
  EXPECT_EQ(exported().size(), 4u);
  struct stat status {};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0600u);
}

TEST_F(Export, AnExportThatIsKilledLeavesNothing) {
  if (const int fd = ::open(kept.path.c_str(), O_TMPFILE | O_WRONLY, 0600); fd >= 0)
    ::close(fd);
  else
    GTEST_SKIP() << "this file system has no files without a name";
  auto output = OutputFile::create(file);
  ASSERT_TRUE(output);
  ASSERT_TRUE(output->write(std::as_bytes(std::span("packets"))));
  EXPECT_FALSE(has_leftovers());
  EXPECT_FALSE(std::filesystem::exists(file));
  ASSERT_TRUE(output->keep());
  EXPECT_EQ(std::filesystem::file_size(file), 8u);
  EXPECT_FALSE(has_leftovers());
}

TEST_F(Export, ALinkIsNotWrittenThrough) {
  std::filesystem::create_symlink(kept.path + "/target", file);
  choice.alert = 1;
  EXPECT_EQ(run_export(), kFailed);
  EXPECT_SAYS(err.str(), "it is a symbolic link");
  EXPECT_FALSE(std::filesystem::exists(kept.path + "/target"));
}

TEST_F(Export, APlaceThatIsAPipeIsWrittenToAsItIs) {
  ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0);
  const int reading = ::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  choice.alert = 1;
  EXPECT_EQ(run_export(), kOk);
  std::uint32_t first = 0;
  EXPECT_EQ(::read(reading, &first, sizeof(first)), static_cast<ssize_t>(sizeof(first)));
  EXPECT_EQ(first, 0x0a0d0d0au);
  EXPECT_TRUE(std::filesystem::is_fifo(file));
  ::close(reading);
}

TEST_F(Export, APipeThatSomebodyElseHasMadeGetsNothing) {
  ASSERT_EQ(::mkfifo(file.c_str(), 0666), 0);
  if (::chown(file.c_str(), 12'345, 12'345) != 0) GTEST_SKIP() << "only root gives files away";
  choice.alert = 1;
  EXPECT_EQ(run_export(), kFailed) << "and does not wait for a reader";
  EXPECT_SAYS(err.str(), "it is a pipe of another user's");
}

TEST_F(Export, APathIsLookedUpOnce) {
  const std::string folder = kept.path + "/folder";
  std::filesystem::create_directories(folder);
  auto output = OutputFile::create(folder + "/out");
  ASSERT_TRUE(output);
  ASSERT_TRUE(output->write(std::as_bytes(std::span("packets"))));
  std::filesystem::rename(folder, kept.path + "/moved");
  std::filesystem::create_directories(kept.path + "/elsewhere");
  std::filesystem::create_directory_symlink("elsewhere", folder);
  ASSERT_TRUE(output->keep());
  EXPECT_EQ(std::filesystem::file_size(kept.path + "/moved/out"), 8u);
  EXPECT_TRUE(std::filesystem::is_empty(kept.path + "/elsewhere"));
}

TEST_F(Export, ADirectoryIsNoPlaceForAFile) {
  choice.alert = 1;
  for (const char* name : {"/", "/.", "", "/absent/"}) {
    err.str("");
    EXPECT_EQ(run_pcap_export({.choice = choice, .output = kept.path + name}, io), kFailed);
    EXPECT_SAYS(err.str(),
                name == std::string_view("/absent/") ? "No such file" : "Is a directory");
  }
}

TEST_F(Export, AReaderThatHasGoneIsNoFailure) {
  std::signal(SIGPIPE, SIG_IGN);
  int ends[2]{};
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  auto output = OutputFile::create("/proc/self/fd/" + std::to_string(ends[1]));
  EXPECT_FALSE(output) << "a link";
  ::close(ends[0]);
  const int out_before = ::dup(STDOUT_FILENO);
  std::fflush(stdout);
  ASSERT_GE(::dup2(ends[1], STDOUT_FILENO), 0);
  choice.alert = 1;
  const Exit code = run_pcap_export({.choice = choice, .output = "-"}, io);
  ::dup2(out_before, STDOUT_FILENO);
  ::close(out_before);
  ::close(ends[1]);
  EXPECT_EQ(code, kOk);
  EXPECT_EQ(err.str(), "");
}

TEST_F(Export, AFileWithoutPacketsIsOneThatLibpcapTakes) {
  choice.filter = "udp";
  for (const char* format : {"pcapng", "pcap"}) {
    ASSERT_EQ(run_export(format), kOk) << err.str();
    char why[PCAP_ERRBUF_SIZE] = "";
    const Handle<pcap_t, pcap_close> pcap(pcap_open_offline(file.c_str(), why));
    ASSERT_TRUE(pcap) << format << ": " << why;
    pcap_pkthdr* header = nullptr;
    const u_char* data = nullptr;
    EXPECT_EQ(pcap_next_ex(pcap.get(), &header, &data), PCAP_ERROR_BREAK) << format;
    EXPECT_EQ(pcap_datalink(pcap.get()), DLT_EN10MB);
  }
}

TEST_F(Export, PcapHasOneLinkTypeAndSaysSo) {
  choice.filter = "tcp or ip";
  ASSERT_EQ(run_export("pcap"), kOk) << err.str();
  kept.link_type = 101;
  kept.add(3, seven, 9);
  kept.write_files();
  choice = {.flow = "1:flow7=", .retain = kept.path};
  kept.alerts.clear();
  kept.write_index();
  EXPECT_EQ(run_export("pcap"), kFailed);
  EXPECT_SAYS(err.str(), "--format pcapng");
  EXPECT_EQ(run_export("pcapng"), kOk);
}

}  // namespace
}  // namespace nids
