// SPDX-License-Identifier: Apache-2.0
// `alerts` and `pcap` over a directory of kept packets.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/command.hpp"
#include "cli/output_file.hpp"
#include "retain/pcapng_reader.hpp"
#include "support/kept_directory.hpp"

namespace nids {
namespace {

using Json = nlohmann::json;

#define EXPECT_SAYS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

class Ask : public ::testing::Test {
 protected:
  // Flow 7 with packets in two segments and an alert, flow 8 between them, and an alert whose
  // packet was not kept.
  void SetUp() override {
    const auto offset = kept.add(1, seven, 1, {"flagged protocol ssh [9000:1001]", "nids-xdp {}"});
    kept.add(1, eight, 2);
    kept.add(1, seven, 3);
    kept.add(2, seven, 5);
    kept.add(2, eight, 4);
    kept.alerts.push_back(
        {kept.alert(1, seven), PacketPlace{KeptDirectory::name_of(1), offset, 1}});
    KeptAlert lost = kept.alert(2, {});
    lost.signature_id = 2001;
    lost.severity = 3;
    lost.signature = "LAND\x1b[31m packet";
    lost.record = "no JSON";
    lost.time.ns += 60'000'000'000;
    kept.alerts.push_back({lost, std::nullopt});
    kept.write();
    choice.retain = alerts.retain = kept.path;
  }

  Json list() {
    out.str("");
    EXPECT_EQ(run_pcap_list(choice, true, io), kOk) << err.str();
    return Json::parse(out.str());
  }
  Json listed_alerts() {
    out.str("");
    alerts.json = true;
    EXPECT_EQ(run_alerts_list(alerts, io), kOk) << err.str();
    return Json::parse(out.str());
  }
  Exit run_export(const std::string& format = "pcapng") {
    return run_pcap_export({.choice = choice, .format = format, .output = file}, io);
  }
  // Seconds of the packets in the file.
  std::vector<std::uint64_t> exported() {
    const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    pcapng::Reader reader(pcapng::read_from(fd));
    std::vector<std::uint64_t> seconds;
    for (;;) {
      const auto packet = reader.next();
      EXPECT_TRUE(packet);
      if (!packet || !*packet) break;
      seconds.push_back(((*packet)->time.ns - kSampleStart.ns) / 1'000'000'000);
    }
    ::close(fd);
    return seconds;
  }
  bool has_leftovers() const {
    return std::ranges::any_of(std::filesystem::directory_iterator(kept.path), [](const auto& one) {
      return one.path().string().ends_with(".part");
    });
  }

  using Seconds = std::vector<std::uint64_t>;
  KeptDirectory kept{"ask"};
  const KeptFlow seven = KeptDirectory::flow(7, 40'007), eight = KeptDirectory::flow(8, 40'008);
  const std::string file = kept.path + "/out";
  std::ostringstream out, err;
  Io io{.out = out, .err = err, .paths = {.config = kept.path + "/none.toml"}};
  KeptChoice choice;
  AlertsArguments alerts;
};

TEST_F(Ask, ListHasALineAFlowOldestFirst) {
  const Json flows = list();
  ASSERT_EQ(flows.size(), 2u);
  EXPECT_EQ(flows[0]["community_id"], "1:flow7=");
  EXPECT_EQ(flows[0]["packets"], 3);
  EXPECT_EQ(flows[0]["alerts"], 1);
  EXPECT_EQ(flows[0]["src_port"], 40'007);
  EXPECT_EQ(flows[0]["first"], "2026-11-22T10:00:01.000000+0000");
  EXPECT_EQ(flows[0]["last"], "2026-11-22T10:00:05.000000+0000");
  EXPECT_EQ(flows[1]["packets"], 2);
  EXPECT_EQ(flows[1]["alerts"], 0);
}

TEST_F(Ask, ListChoosesByAlertFlowFilterAndTime) {
  choice.flow = "1:flow8=";
  EXPECT_EQ(list().size(), 1u);
  choice.flow.reset();
  choice.alert = 1;
  EXPECT_EQ(list()[0]["flow_id"], 7);
  choice.alert.reset();
  choice.filter = "src port 40008";
  EXPECT_EQ(list()[0]["flow_id"], 8);
  choice.filter.reset();
  choice.since = "2026-11-22T10:00:05Z";
  EXPECT_EQ(list().size(), 1u);
  choice.since = "2026-11-22T10:01:00Z";
  EXPECT_EQ(list().size(), 0u);
}

TEST_F(Ask, TheTableFitsItsTerminal) {
  for (const std::size_t width : {80, 160}) {
    out.str("");
    io.width = width;
    ASSERT_EQ(run_pcap_list(choice, false, io), kOk);
    ASSERT_EQ(run_alerts_list(alerts, io), kOk);
    std::istringstream lines(out.str());
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), width) << line;
    EXPECT_EQ(out.str().find("1:flow7=") != std::string::npos, width == 160);
    EXPECT_SAYS(out.str(), "10.0.0.2:40007");
  }
}

TEST_F(Ask, ExportByAlertHasItsWholeFlowInOrder) {
  choice.alert = 1;
  ASSERT_EQ(run_export(), kOk) << err.str();
  EXPECT_EQ(exported(), (Seconds{1, 3, 5}));
  EXPECT_SAYS(err.str(), "3 packets, ");
  choice.since = "2026-11-22T10:00:02Z";
  choice.until = "2026-11-22T10:00:04Z";
  ASSERT_EQ(run_export(), kOk);
  EXPECT_EQ(exported(), Seconds{3});
}

TEST_F(Ask, ExportByFlowAndByFilter) {
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

TEST_F(Ask, WhatIsNotIndexedYetIsFoundByFilter) {
  kept.add(2, seven, 6);
  kept.add(3, seven, 7);
  kept.write_files();
  choice.filter = "tcp";
  choice.since = "2026-11-22T10:00:06Z";
  ASSERT_EQ(run_export(), kOk);
  EXPECT_EQ(exported(), (Seconds{6, 7}));
}

TEST_F(Ask, ExportWantsOneChoiceThatMeansSomething) {
  EXPECT_EQ(run_export(), kUsage);
  choice.alert = 1;
  choice.flow = "1:flow7=";
  EXPECT_EQ(run_export(), kUsage);
  choice = {.filter = "host example.org", .retain = kept.path};
  EXPECT_EQ(run_export(), kUsage);
  EXPECT_SAYS(err.str(), "names are not looked up");
  choice = {.filter = "tcp", .since = "tomorrow", .retain = kept.path};
  EXPECT_EQ(run_export(), kUsage);
  choice = {.alert = 99, .retain = kept.path};
  EXPECT_EQ(run_export(), kFailed);
  choice.alert = 2;
  EXPECT_EQ(run_export(), kFailed);
  EXPECT_SAYS(err.str(), "none was kept");
  choice = {.flow = "1:nobody=", .retain = kept.path};
  EXPECT_EQ(run_export(), kFailed);
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(Ask, ASegmentThatIsGoneAndOneThatLiesMakeTheExportDegraded) {
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

TEST_F(Ask, AFileIsReplacedWholeOrNotAtAll) {
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

TEST_F(Ask, AnExportThatIsKilledLeavesNothing) {
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

TEST_F(Ask, ALinkIsNotWrittenThrough) {
  std::filesystem::create_symlink(kept.path + "/target", file);
  choice.alert = 1;
  EXPECT_EQ(run_export(), kFailed);
  EXPECT_SAYS(err.str(), "it is a symbolic link");
  EXPECT_FALSE(std::filesystem::exists(kept.path + "/target"));
}

TEST_F(Ask, APlaceThatIsAPipeIsWrittenToAsItIs) {
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

TEST_F(Ask, AReaderThatHasGoneIsNoFailure) {
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

TEST_F(Ask, PcapHasOneLinkTypeAndSaysSo) {
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

TEST_F(Ask, AlertsAreListedWithTheirPlace) {
  const Json all = listed_alerts();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0]["id"], 1);
  EXPECT_EQ(all[0]["place"]["packet"], 1);
  EXPECT_EQ(all[0]["alert"]["context"]["threshold"], "1 connection");
  EXPECT_EQ(all[1]["place"], nullptr);
  EXPECT_EQ(all[1]["alert"]["signature"], "LAND\\x1b[31m packet");
  alerts.json = false;
  out.str("");
  ASSERT_EQ(run_alerts_list(alerts, io), kOk);
  EXPECT_SAYS(out.str(), "flagged protocol ssh");
  EXPECT_EQ(out.str().find('\x1b'), std::string::npos);
}

TEST_F(Ask, AlertsAreChosenBySeverityClassTimeAndEnds) {
  const auto count = [&](AlertsArguments arguments) {
    alerts = arguments;
    alerts.retain = kept.path;
    return listed_alerts().size();
  };
  EXPECT_EQ(count({.severity = 2}), 1u);
  EXPECT_EQ(count({.severity = 1}), 0u);
  EXPECT_EQ(count({.since = "2026-11-22T10:00:30Z"}), 1u);
  EXPECT_EQ(count({.class_list = "telnet,ssh"}), 1u);
  EXPECT_EQ(count({.class_list = "telnet"}), 0u);
  EXPECT_EQ(count({.filter = "port 22"}), 1u);
}

TEST_F(Ask, AnAlertIsShownWithAllThatIsKnown) {
  alerts.id = 1;
  ASSERT_EQ(run_alerts_show(alerts, io), kOk) << err.str();
  for (const char* part :
       {"9000:1001, severity 2, Flagged protocol, ATT&CK T1021.004", "10.0.0.2:40007",
        "a connection to tcp/22", "none of class ssh", "1 connection",
        "established, TCP established, S1", "ShAd", "12 packets, 3400 bytes", "number 1 of ",
        "3 packets, ", "in 2 segments", "1:flow7="})
    EXPECT_SAYS(out.str(), part);
  EXPECT_SAYS(out.str(),
              "nids-xdp pcap export --alert 1 --retain " + kept.path + " -o alert-1.pcapng");
  out.str("");
  alerts.id = 2;
  ASSERT_EQ(run_alerts_show(alerts, io), kOk);
  EXPECT_SAYS(out.str(), "land: sent from its own destination");
  EXPECT_SAYS(out.str(), "none, or they had to make room");
  EXPECT_EQ(out.str().find('\x1b'), std::string::npos);
  out.str("");
  alerts.id = 1;
  alerts.json = true;
  ASSERT_EQ(run_alerts_show(alerts, io), kOk);
  const Json json = Json::parse(out.str());
  EXPECT_EQ(json["flow"]["history"], "ShAd");
  EXPECT_EQ(json["kept"]["packets"], 3);
  EXPECT_EQ(json["kept"]["segments"].size(), 2u);
  alerts.id = 3;
  EXPECT_EQ(run_alerts_show(alerts, io), kFailed);
}

TEST_F(Ask, ARecordThatIsNestedWithoutEndIsNotFollowed) {
  KeptAlert deep = kept.alert(3, seven);
  const std::size_t depth = 200'000;
  deep.record = R"({"alert": )" + std::string(depth, '[') + std::string(depth, ']') + "}";
  kept.alerts = {{deep, std::nullopt}};
  kept.write_index();
  alerts.id = 3;
  ASSERT_EQ(run_alerts_show(alerts, io), kOk);
  EXPECT_SAYS(out.str(), "flagged protocol ssh");
}

TEST_F(Ask, WhatIsNotThereHasANextStep) {
  alerts.retain = kept.path + "/absent";
  EXPECT_EQ(run_alerts_list(alerts, io), kFailed);
  EXPECT_SAYS(err.str(), "sudo nids-xdp attach");
  std::filesystem::create_directories(*alerts.retain);
  EXPECT_EQ(run_alerts_list(alerts, io), kFailed);
  EXPECT_SAYS(err.str(), "there is no index");
  EXPECT_SAYS(err.str(), "nids-xdp pcap reindex --retain " + *alerts.retain);
  std::ofstream(*alerts.retain + "/" + Index::kFile) << "no database, but long enough to be one";
  EXPECT_EQ(run_alerts_list(alerts, io), kFailed);
}

TEST_F(Ask, WithoutRetainTheConfiguredDirectoryIsAsked) {
  const std::string config = kept.path + "/c.toml";
  std::ofstream(config) << "[retain]\ndirectory = \"" << kept.path << "\"\n";
  io.paths.config = config;
  alerts.retain.reset();
  EXPECT_EQ(listed_alerts().size(), 2u);
}

TEST_F(Ask, SummaryShowsWhatPeopleWroteBesideAPacket) {
  const std::string segment = kept.path + "/" + KeptDirectory::name_of(1).file();
  int ends[2]{};
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const pid_t child = ::fork();  // it gives up privileges that the test needs to clear up
  if (child == 0) {
    const Exit code = run_pcap_summary(segment, {}, io);
    const std::string text = out.str();
    const bool is_told = ::write(ends[1], text.data(), text.size()) > 0;
    ::_exit(is_told ? code : kFailed);
  }
  ::close(ends[1]);
  std::string text(4096, ' ');
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, ::read(ends[0], text.data(), 4096))));
  ::close(ends[0]);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  std::istringstream lines(text);
  std::string first, second;
  std::getline(lines, first);
  std::getline(lines, second);
  EXPECT_TRUE(first.ends_with("class ssh  # flagged protocol ssh [9000:1001]")) << first;
  EXPECT_EQ(second.find('#'), std::string::npos);
}

}  // namespace
}  // namespace nids
