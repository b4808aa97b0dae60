// SPDX-License-Identifier: Apache-2.0
#include "log/eve.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <vector>

#include "support/sample_flow.hpp"

namespace nids {
namespace {

using namespace std::string_literals;
using Json = nlohmann::ordered_json;

Alert ssh_alert() {
  Alert alert;
  alert.time.ns = 1795341600'123'456'789;  // 2026-11-22T10:00:00
  alert.signature_id.sid = 1001;
  alert.severity = 2;
  alert.signature = "SSH connection";
  alert.category = "Flagged protocol";
  alert.class_name = "ssh";
  alert.technique = "T1021.004";
  alert.observed = "destination port 22";
  alert.expected = "no ssh";
  alert.threshold = "1 packet";
  alert.ends = sample_ends("10.0.0.2", 40'000, "10.0.0.1", 22);
  alert.flow_id = (1ull << 53) - 1;
  alert.community_id = "1:LQU9qZlK+B5F3KDmev6m5PMibrg=";
  alert.interface = "eth0";
  return alert;
}

Json parsed(const Alert& alert, const std::optional<Evidence>& evidence = {}) {
  return Json::parse(EveAlert(alert).line(evidence));
}

TEST(EveAlert, IsOneLineWithTheKeysInSuricatasOrder) {
  Alert alert = ssh_alert();
  alert.ends.vlan[0] = 5;
  alert.ends.vlan[1] = 6;
  EXPECT_EQ(EveAlert(alert).line(Evidence{"/var/lib/a.pcapng", 3}),
            R"({"timestamp":"2026-11-22T10:00:00.123456+0000","flow_id":9007199254740991,)"
            R"("in_iface":"eth0","event_type":"alert","vlan":[5,6],"src_ip":"10.0.0.2",)"
            R"("src_port":40000,"dest_ip":"10.0.0.1","dest_port":22,"proto":"TCP","ip_v":4,)"
            R"("community_id":"1:LQU9qZlK+B5F3KDmev6m5PMibrg=","direction":"to_server",)"
            R"("capture_file":"/var/lib/a.pcapng","alert":{"action":"allowed","gid":9000,)"
            R"("signature_id":1001,"rev":1,"signature":"SSH connection",)"
            R"("category":"Flagged protocol","severity":2,"metadata":{"class":["ssh"],)"
            R"("mitre_technique_id":["T1021.004"]},"context":{"observed":"destination port 22",)"
            R"("expected":"no ssh","threshold":"1 packet","capture_file":"/var/lib/a.pcapng",)"
            R"("capture_packet":3}}})"
            "\n");
}

TEST(EveAlert, WhatIsNotKnownHasNoKey) {
  Alert alert = ssh_alert();
  alert.interface = alert.class_name = alert.technique = alert.community_id = "";
  alert.flow_id = 0;
  const Json line = parsed(alert, Evidence{});
  for (const char* key : {"flow_id", "in_iface", "vlan", "community_id", "capture_file"})
    EXPECT_FALSE(line.contains(key)) << key;
  EXPECT_FALSE(line["alert"].contains("metadata"));
  EXPECT_FALSE(line["alert"]["context"].contains("capture_file"));
}

TEST(EveAlert, SourceIsTheClientEvenWhereTheServerSentThePacket) {
  Alert alert = ssh_alert();
  alert.to_server = false;
  const Json line = parsed(alert);
  EXPECT_EQ(line["src_ip"], "10.0.0.2");
  EXPECT_EQ(line["direction"], "to_client");
}

TEST(EveAlert, OnlyTcpUdpAndSctpHavePorts) {
  Alert alert = ssh_alert();
  for (const auto& [number, name] :
       std::vector<std::pair<std::uint8_t, std::string>>{{6, "TCP"}, {17, "UDP"}, {132, "SCTP"}}) {
    alert.ends.l4_proto = number;
    EXPECT_EQ(parsed(alert)["proto"], name);
    EXPECT_EQ(parsed(alert)["dest_port"], 22);
  }
  for (const auto& [number, name] : std::vector<std::pair<std::uint8_t, std::string>>{
           {1, "ICMP"}, {58, "IPv6-ICMP"}, {47, "GRE"}, {253, "253"}, {99, "099"}}) {
    alert.ends.l4_proto = number;
    EXPECT_EQ(parsed(alert)["proto"], name);
    EXPECT_FALSE(parsed(alert).contains("src_port"));
  }
}

TEST(EveAlert, Ipv6AddressesAreWrittenShort) {
  Alert alert = ssh_alert();
  alert.ends.ip_version = 6;
  const Json line = parsed(alert);
  EXPECT_EQ(line["src_ip"], "a00:2::");
  EXPECT_EQ(line["ip_v"], 6);
}

TEST(EveAlert, HostileTextStaysOneLineOfValidJson) {
  Alert alert = ssh_alert();
  alert.signature = alert.category = alert.observed = alert.expected = alert.threshold =
      alert.class_name = alert.technique = alert.community_id = alert.interface =
          "\"}\n\x1b[2J\xff\xc2\x9b\xe2\x80\xae\0"s;
  const std::string text = EveAlert(alert).line(Evidence{"/tmp/\n", 1});
  EXPECT_EQ(text.find('\n'), text.size() - 1);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find("\xc2\x9b"), std::string::npos);
  EXPECT_EQ(Json::parse(text)["alert"]["signature"], "\"}\\x0a\\x1b[2J\ufffd\\x9b\\u202e\\x00");
}

TEST(EveAlert, LongPathsAreNotShortened) {
  const std::string path = "/" + std::string(1'000, 'a');
  EXPECT_EQ(parsed(ssh_alert(), Evidence{path, 1})["capture_file"], path);
}

// A regular file that is gone when the test ends.
int scratch_file(int flags) {
  char name[] = "/tmp/nids-eve-XXXXXX";
  const int made = mkstemp(name);
  const int fd = open(name, O_RDWR | flags);
  close(made);
  unlink(name);
  return fd;
}

std::string content(int fd) {
  std::string text(4096, '\0');
  const ssize_t length = pread(fd, text.data(), text.size(), 0);
  text.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
  return text;
}

TEST(EveLog, LinesAreAppendedAndCounted) {
  const int fd = scratch_file(O_APPEND);
  nids_agent_counters counters{};
  EveLog log(dup(fd));
  log.write("one\n", counters);
  log.write("two\n", counters);
  EXPECT_EQ(content(fd), "one\ntwo\n");
  EXPECT_EQ(counters.eve_lines, 2u);
  EXPECT_EQ(counters.eve_lost, 0u);
  EXPECT_FALSE(log.degraded());
  close(fd);
}

TEST(EveLog, FullDeviceLosesTheLineAndSaysSo) {
  nids_agent_counters counters{};
  EveLog log(open("/dev/full", O_WRONLY | O_APPEND));
  log.write("one\n", counters);
  EXPECT_EQ(counters.eve_lines, 0u);
  EXPECT_EQ(counters.eve_lost, 1u);
  EXPECT_TRUE(log.degraded());
}

// With the file's size limited a write stops in the middle of a line, as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

void expect_half_line_is_taken_back(int flags) {
  std::signal(SIGXFSZ, SIG_IGN);
  const int fd = scratch_file(flags);
  nids_agent_counters counters{};
  EveLog log(dup(fd));
  log.write("one\n", counters);
  {
    const FileSizeLimit limit(6);
    log.write("two\n", counters);
    EXPECT_TRUE(log.degraded());
  }
  EXPECT_EQ(content(fd), "one\n");
  log.write("three\n", counters);
  EXPECT_FALSE(log.degraded());
  EXPECT_EQ(content(fd), "one\nthree\n");
  EXPECT_EQ(counters.eve_lines, 2u);
  EXPECT_EQ(counters.eve_lost, 1u);
  close(fd);
}

TEST(EveLog, HalfALineIsTakenBack) { expect_half_line_is_taken_back(O_APPEND); }

TEST(EveLog, HalfALineIsTakenBackFromARedirectedStdout) { expect_half_line_is_taken_back(0); }

TEST(EveLog, LineAfterATornOneInAPipeBeginsOnItsOwnLine) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_NONBLOCK), 0);
  const auto capacity = static_cast<std::size_t>(fcntl(ends[1], F_SETPIPE_SZ, 4096));
  nids_agent_counters counters{};
  EveLog log(ends[1]);
  log.write(std::string(capacity, 'x') + "lost\n", counters);
  EXPECT_EQ(counters.eve_lost, 1u);

  std::string drained(capacity, '\0');
  ASSERT_EQ(read(ends[0], drained.data(), capacity), static_cast<ssize_t>(capacity));
  log.write("next\n", counters);
  EXPECT_EQ(counters.eve_lines, 1u);
  drained.resize(16);
  drained.resize(static_cast<std::size_t>(read(ends[0], drained.data(), drained.size())));
  EXPECT_EQ(drained, "\nnext\n");
  close(ends[0]);
}

TEST(EveLog, FullPipeAndVanishedReaderLoseLinesWithoutBlocking) {
  std::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_NONBLOCK), 0);
  const auto capacity = static_cast<std::size_t>(fcntl(ends[1], F_SETPIPE_SZ, 4096));
  ASSERT_EQ(write(ends[1], std::string(capacity, 'x').data(), capacity),
            static_cast<ssize_t>(capacity));
  nids_agent_counters counters{};
  EveLog log(ends[1]);
  log.write("full\n", counters);
  EXPECT_EQ(counters.eve_lost, 1u);
  close(ends[0]);
  log.write("gone\n", counters);
  EXPECT_EQ(counters.eve_lost, 2u);
  EXPECT_TRUE(log.degraded());
}

TEST(EveLog, ReplacedFileTakesTheNextLine) {
  const int first = scratch_file(O_APPEND), second = scratch_file(O_APPEND);
  nids_agent_counters counters{};
  EveLog log(dup(first));
  log.write("one\n", counters);
  log.replace(dup(second));
  log.write("two\n", counters);
  EXPECT_EQ(content(first), "one\n");
  EXPECT_EQ(content(second), "two\n");
  EXPECT_EQ(counters.eve_lines, 2u);
  close(first);
  close(second);
}

TEST(EveLog, AnotherFileKnowsNothingOfATornLine) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_NONBLOCK), 0);
  const auto capacity = static_cast<std::size_t>(fcntl(ends[1], F_SETPIPE_SZ, 4096));
  nids_agent_counters counters{};
  EveLog log(ends[1]);
  log.write(std::string(capacity, 'x') + "lost\n", counters);
  ASSERT_TRUE(log.degraded());
  const int fd = scratch_file(O_APPEND);
  log.replace(dup(fd));
  log.write("whole\n", counters);
  EXPECT_EQ(content(fd), "whole\n");
  EXPECT_FALSE(log.degraded());
  close(fd);
  close(ends[0]);
}

TEST(EveLog, KnowsTheEndOfAFileThatOthersWriteToAndNoneOfAPipe) {
  const int fd = scratch_file(O_APPEND);
  nids_agent_counters counters{};
  EveLog log(dup(fd));
  log.write("one\n", counters);
  ASSERT_EQ(write(fd, "another's\n", 10), 10);
  log.write("two\n", counters);
  EXPECT_EQ(log.end_bytes(), 18u);
  close(fd);
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_NONBLOCK), 0);
  EveLog pipe_log(ends[1]);
  pipe_log.write("one\n", counters);
  EXPECT_EQ(pipe_log.end_bytes(), 0u);
  close(ends[0]);
}

TEST(EveLog, MovedLogOwnsTheFile) {
  const int fd = scratch_file(O_APPEND);
  nids_agent_counters counters{};
  EveLog first(dup(fd));
  EveLog second(std::move(first));
  second.write("one\n", counters);
  EXPECT_EQ(content(fd), "one\n");
  close(fd);
}

}  // namespace
}  // namespace nids
