// SPDX-License-Identifier: Apache-2.0
#include "config/config.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "support/config_text.hpp"

namespace nids {
namespace {

using ::testing::Test;

TEST(Sizes, TakeBytesAndUnitsOfThousandsAnd1024s) {
  const std::map<std::string, std::uint64_t> sizes = {{"0", 0},
                                                      {"4096", 4096},
                                                      {"7B", 7},
                                                      {"64KiB", 65'536},
                                                      {"10MB", 10'000'000},
                                                      {"1GiB", 1ull << 30},
                                                      {"3kB", 3000},
                                                      {"3KB", 3000},
                                                      {"2TiB", 2ull << 40},
                                                      {"1TB", 1'000'000'000'000},
                                                      {"18446744073709551615", ~0ull},
                                                      {"16777215TiB", 16'777'215ull << 40}};
  for (const auto& [text, bytes] : sizes) {
    const auto size = parse_size(text);
    ASSERT_TRUE(size) << text;
    EXPECT_EQ(*size, bytes) << text;
  }
}

TEST(Sizes, RefuseEverythingElseAndSayWhatWasExpected) {
  for (const std::string text :
       {"", " ", "-1", "+1", "1 KiB", " 1", "1 ", "KiB", "1.5GiB", "1kib", "1K", "0x10", "1KiBs",
        "1_000", "1e3", "18446744073709551616", "16777216TiB", "99999999999999999999999TiB"}) {
    const auto size = parse_size(text);
    ASSERT_FALSE(size) << text;
    EXPECT_TRUE(holds(size.error().message(), "expected")) << size.error().message();
  }
  EXPECT_FALSE(parse_size(std::string_view("1\0", 2)));
}

TEST(Sizes, AreWrittenInTheLargestUnitThatIsExact) {
  EXPECT_EQ(size_text(0), "0");
  EXPECT_EQ(size_text(1023), "1023");
  EXPECT_EQ(size_text(1024), "1KiB");
  EXPECT_EQ(size_text(65'600), "65600");
  EXPECT_EQ(size_text(64 * 1024), "64KiB");
  EXPECT_EQ(size_text(8ull << 20), "8MiB");
  EXPECT_EQ(size_text(1ull << 50), "1024TiB");
  EXPECT_EQ(size_text(~0ull), "18446744073709551615");
}

TEST(Durations, TakeAUnitAlways) {
  const std::map<std::string, std::uint64_t> durations = {{"0s", 0},
                                                          {"500ms", 500},
                                                          {"10s", 10'000},
                                                          {"2m", 120'000},
                                                          {"1h", 3'600'000},
                                                          {"1d", 86'400'000},
                                                          {"36500d", 3'153'600'000'000}};
  for (const auto& [text, ms] : durations) {
    const auto duration = parse_duration_ms(text);
    ASSERT_TRUE(duration) << text;
    EXPECT_EQ(*duration, ms) << text;
  }
  for (const std::string text :
       {"", "10", "-1s", "+1s", "1 s", "s", "1.5s", "1M", "1us", "18446744073709551615s",
        "99999999999999999999ms", "36501d", "200000d", "18446744073709551615ms"}) {
    const auto duration = parse_duration_ms(text);
    ASSERT_FALSE(duration) << text;
    EXPECT_TRUE(holds(duration.error().message(), "expected")) << duration.error().message();
  }
}

TEST(Parse, AnEmptyFileIsTheDefaultConfiguration) {
  EXPECT_EQ(accepted(""), default_config());
  EXPECT_EQ(accepted("# nothing\n"), default_config());
  EXPECT_EQ(accepted("\xef\xbb\xbf[flow]\r\n"), default_config());
}

TEST(Parse, EveryKeyReachesItsPlace) {
  const Config c = accepted(R"(
workers = 4
[flow]
slots_per_cpu = 128
ipv6_slots_per_cpu = 256
unclassified = "identify"
max_tracked_flows = 7
tcp_new = "1s"
tcp_established = "2m"
tcp_closed = "3s"
udp = "4s"
icmp = "5s"
other = "6s"
interim = "1h"
[ring]
size = "1MiB"
snap = 256
sample = 128
[findings]
enabled = false
[alert]
suppress = "5m"
max_suppressions = 9
[eve]
enabled = false
path = "eve.json"
flows = false
rotate_size = 65536
keep = 1000
[retain]
enabled = false
directory = "/tmp/kept"
budget = "10MB"
segment = 1048576
min_free_percent = 0
severity_1 = 70000
severity_2 = "headers"
severity_3 = "whole"
flow_depth = "2MiB"
hold_budget = 0
hold_time = "1m"
[ipfix]
collector = "[2001:db8::1]:4739"
domain = 4294967295
template_seconds = 30
[metrics]
listen = "127.0.0.1:9177"
[links]
uplink = ["eth1", "eth2"]
bond = ["eth3", "eth4", "eth5"]
[community_id]
seed = 65535
)");
  Config expected = default_config();
  expected.flow = {128, 256, NIDS_INTEREST_IDENTIFY, 7, 1, 120, 3, 4, 5, 6, 3600};
  expected.ring = {1 << 20, 256, 128};
  expected.workers = 4;
  expected.findings = false;
  expected.alert = {300, 9};
  expected.eve = {false, "eve.json", false, 65'536, 1000};
  expected.retain = {.enabled = false,
                     .directory = "/tmp/kept",
                     .budget_bytes = 10'000'000,
                     .segment_bytes = 1 << 20,
                     .min_free_percent = 0,
                     .severity_1 = 70'000,
                     .severity_2 = Config::Retain::kKeptHeaders,
                     .severity_3 = Config::Retain::kKeptWhole,
                     .flow_depth_bytes = 2 << 20,
                     .hold_budget_bytes = 0,
                     .hold_seconds = 60};
  expected.ipfix = {
      {6, {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 4739}, 0xffff'ffff, 30};
  expected.metrics.address = {4, {127, 0, 0, 1}, 9177};
  expected.links = {{"bond", {"eth3", "eth4", "eth5"}}, {"uplink", {"eth1", "eth2"}}};
  expected.community_id_seed = 65'535;
  EXPECT_EQ(c, expected);
}

struct Edge {
  const char* table;
  const char* key;
  std::vector<const char*> inside, outside;
};

TEST(Parse, EveryBoundHoldsAtItsEdge) {
  const Edge edges[] = {
      {"flow", "slots_per_cpu", {"64", "4194304"}, {"63", "65", "32", "8388608", "0", "-64"}},
      {"flow", "ipv6_slots_per_cpu", {"64", "4194304"}, {"63", "65", "8388608", "0", "-64"}},
      {"flow",
       "unclassified",
       {"'count'", "'identify'", "'inspect'", "'capture'", "'bypass'", "'headers'"},
       {"'none'", "''", "0"}},
      {"flow", "max_tracked_flows", {"1", "16777216"}, {"0", "16777217", "-1"}},
      {"flow", "tcp_new", {"'1s'", "'24h'"}, {"'0s'", "'25h'", "'1500ms'", "60", "'60'"}},
      {"flow", "tcp_established", {"'1s'", "'24h'"}, {"'0s'", "'25h'", "600"}},
      {"flow", "tcp_closed", {"'1s'", "'24h'"}, {"'0s'", "'25h'"}},
      {"flow", "udp", {"'1s'", "'24h'"}, {"'0s'", "'25h'"}},
      {"flow", "icmp", {"'1s'", "'24h'"}, {"'0s'", "'25h'"}},
      {"flow", "other", {"'1s'", "'24h'"}, {"'0s'", "'25h'"}},
      {"flow", "interim", {"'0s'", "'24h'"}, {"'25h'", "'-1s'", "0"}},
      {"eve", "flows", {"true", "false"}, {"1", "'yes'"}},
      {"eve", "rotate_size", {"0", "'0'", "'64KiB'", "'1024TiB'"}, {"65535", "1", "-1", "'63KiB'"}},
      {"eve", "keep", {"0", "1000"}, {"1001", "-1", "'5'"}},
      {"ring",
       "size",
       {"'256KiB'", "'1GiB'", "262144"},
       {"'128KiB'", "'257KiB'", "'2GiB'", "0", "-262144"}},
      {"ring", "snap", {"64", "65600", "'65600'"}, {"63", "65601", "'64KiBs'", "-1"}},
      {"ring", "sample", {"64", "65600"}, {"63", "65601", "0"}},
      {"findings", "enabled", {"true", "false"}, {"0", "'yes'"}},
      {"alert", "suppress", {"'0s'", "'168h'"}, {"'169h'", "'1500ms'", "'604801s'"}},
      {"alert", "max_suppressions", {"1", "16777216"}, {"0", "16777217"}},
      {"retain", "budget", {"'64MiB'", "'1024TiB'"}, {"'1MB'", "'1025TiB'", "67108863"}},
      {"retain", "segment", {"'1MiB'", "'1GiB'"}, {"1048575", "'1025MiB'"}},
      {"retain", "min_free_percent", {"0", "90"}, {"91", "-1"}},
      {"retain",
       "severity_1",
       {"'headers'", "'whole'", "1", "'1024TiB'"},
       {"0", "-1", "'1025TiB'", "'all'", "''", "'1x'", "true"}},
      {"retain", "severity_2", {"'headers'", "'whole'", "'1MiB'"}, {"'0'", "'Whole'"}},
      {"retain", "severity_3", {"'headers'", "'whole'", "'64KiB'"}, {"'none'"}},
      {"retain", "flow_depth", {"'1KiB'", "'1024TiB'"}, {"1023", "'1025TiB'", "'whole'"}},
      {"retain", "hold_budget", {"0", "'64GiB'"}, {"-1", "'65GiB'"}},
      {"retain", "hold_time", {"'1s'", "'1h'"}, {"'0s'", "'3601s'", "30"}},
      {"ipfix",
       "collector",
       {"''", "'192.0.2.1:1'", "'255.255.255.254:65535'", "'[2001:db8::1]:4739'", "'[::1]:1'"},
       {"'192.0.2.1:0'", "'192.0.2.1:65536'", "'[2001:db8::1]:0'", "'0.0.0.0:4739'", "'[::]:4739'",
        "'[::ffff:192.0.2.1]:4739'"}},
      {"ipfix", "domain", {"0", "4294967295"}, {"-1", "4294967296"}},
      {"ipfix", "template_seconds", {"1", "86400"}, {"0", "86401", "'60s'", "-1"}},
      {"community_id", "seed", {"0", "65535"}, {"65536", "-1"}},
      {"classes.ssh", "severity", {"1", "3"}, {"0", "4"}},
      {"classes.ssh", "depth", {"1", "4294967295"}, {"0", "4294967296", "'4GiB'"}},
      {"classes.ssh", "identify_packets", {"1", "255"}, {"0", "256", "-1"}},
      {"classes.ssh",
       "interest",
       {"'count'", "'capture'", "'identify'", "'inspect'", "'bypass'"},
       {"'Count'", "''", "'captured'"}},
  };
  for (const auto& edge : edges) {
    const auto file = [&](const char* value) {
      return "[" + std::string(edge.table) + "]\n" + edge.key + " = " + value + "\n";
    };
    for (const char* value : edge.inside) accepted(file(value));
    for (const char* value : edge.outside) {
      const std::string problem = problem_of(file(value));
      const auto column = std::to_string(std::string(edge.key).size() + 4);
      EXPECT_TRUE(problem.starts_with("2:" + column + ": ")) << file(value) << problem;
    }
  }
}

TEST(Parse, ASegmentFitsItsBudgetAlsoWhereOneIsTheDefault) {
  EXPECT_EQ(problem_of("[retain]\nbudget = '32MiB'\n"),
            "2:10: retain.segment: expected at most the budget, 32MiB, found 64MiB, the default");
  EXPECT_EQ(problem_of("[retain]\nbudget = '32MiB'\nsegment = '33MiB'\n"),
            "3:11: retain.segment: expected at most the budget, 32MiB, found 33MiB");
  EXPECT_EQ(accepted("[retain]\nbudget = '2MiB'\nsegment = '2MiB'\n").retain.segment_bytes,
            2u << 20);
}

TEST(Parse, EachWorkerHasASetOfEachFlowTable) {
  EXPECT_EQ(accepted("workers = 8\n[flow]\nslots_per_cpu = 64\n").workers, 8u);
  EXPECT_EQ(problem_of("workers = 9\n[flow]\nipv6_slots_per_cpu = 64\n"),
            "1:11: workers: expected at most the sets of the smaller flow table, 8 (64 slots), "
            "found 9");
  accepted("[flow]\nslots_per_cpu = 64\nipv6_slots_per_cpu = 64\n");
}

TEST(Parse, WorkersAreAtMost64AndZeroIsTheDefault) {
  EXPECT_EQ(worker_count(accepted("workers = 64\n")), 64u);
  EXPECT_EQ(worker_count(accepted("workers = 1\n")), 1u);
  EXPECT_EQ(worker_count(accepted("workers = 0\n")), worker_count(default_config()));
  EXPECT_GE(worker_count(default_config()), 1u);
  EXPECT_LE(worker_count(default_config()), 4u);
  for (const char* wrong : {"65", "-1", "'4'", "1.5"})
    EXPECT_TRUE(problem_of("workers = " + std::string(wrong) + "\n").starts_with("1:11: workers: "))
        << wrong;
}

TEST(Parse, TheReplacedKeyForTheNumberOfRingsNamesTheNewKey) {
  EXPECT_EQ(
      problem_of("[ring]\ncount = 2\n"),
      "2:9: ring.count: there is no such key any more; use \"workers\", before the first table");
}

TEST(Parse, ARefusedBudgetIsNotComparedWithTheSegment) {
  EXPECT_TRUE(holds(problem_of("[retain]\nbudget = 1\nsegment = '2GiB'\n"), "retain.budget: "));
}

TEST(Parse, ACollectorIsAnAddressAndAPortAndNeverAName) {
  EXPECT_EQ(accepted("[ipfix]\ncollector = '192.0.2.1:4739'\n").ipfix.collector,
            (Endpoint{4, {192, 0, 2, 1}, 4739}));
  EXPECT_EQ(problem_of("[ipfix]\ncollector = 'collector.example:4739'\n"),
            "2:13: ipfix.collector: cannot read \"collector.example:4739\" as an address and a "
            "port: expected such as \"192.0.2.1:4739\" or \"[2001:db8::1]:4739\", no name");
  for (const std::string text : {"192.0.2.1",
                                 ":",
                                 ":4739",
                                 "192.0.2.1:",
                                 "192.0.2.1:x",
                                 "192.0.2.1:+1",
                                 "192.0.2.1: 1",
                                 " 192.0.2.1:1",
                                 "192.0.2:1",
                                 "192.0.2.1:1:2",
                                 "2001:db8::1:4739",
                                 "[2001:db8::1]",
                                 "[2001:db8::1:4739",
                                 "2001:db8::1]:4739",
                                 "[192.0.2.1]:4739",
                                 "[]:4739",
                                 "[:4739",
                                 "]:1",
                                 "[fe80::1%eth0]:4739",
                                 "192.0.2.1\\u0000:4739",
                                 "192.0.2.1:47\\u000039"})
    EXPECT_TRUE(holds(problem_of("[ipfix]\ncollector = \"" + text + "\"\n"), "2:13: ")) << text;
}

TEST(Parse, MetricsAreServedToThisHostOnly) {
  const auto listener = [](const std::string& text) {
    return accepted("[metrics]\nlisten = '" + text + "'\n").metrics;
  };
  EXPECT_FALSE(listener("").is_on());
  EXPECT_TRUE(listener("unix").on_unix_socket);
  EXPECT_EQ(listener("127.1.2.3:1").address, (Endpoint{4, {127, 1, 2, 3}, 1}));
  EXPECT_EQ(listener("[::1]:65535").address,
            (Endpoint{6, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 65'535}));
  EXPECT_EQ(problem_of("[metrics]\nlisten = '0.0.0.0:9177'\n"),
            "2:10: metrics.listen: cannot listen at \"0.0.0.0:9177\": expected \"unix\", or an "
            "address and a port of this host alone such as \"127.0.0.1:9177\" or \"[::1]:9177\"");
  for (const std::string text : {"192.0.2.1:9177", "128.0.0.1:9177", "[::]:9177", "[::2]:9177",
                                 "[fe80::1]:9177", "[::ffff:127.0.0.1]:9177", "localhost:9177",
                                 "127.0.0.1", "127.0.0.1:0", ":9177", "9177", "Unix", "/run/x"})
    EXPECT_TRUE(holds(problem_of("[metrics]\nlisten = '" + text + "'\n"), "2:10: ")) << text;
  EXPECT_EQ(problem_of("[metrics]\nlisten = 9177\n"),
            "2:10: metrics.listen: expected a string such as \"unix\" or \"127.0.0.1:9177\", found "
            "an integer");
}

TEST(Parse, AWrongTypeSaysWhatWasExpectedAndFound) {
  EXPECT_EQ(problem_of("flow = 3"), "1:8: flow: expected a table, found an integer");
  EXPECT_EQ(problem_of("[[flow]]"), "1:1: flow: expected a table, found an array");
  EXPECT_EQ(problem_of("[flow]\nslots_per_cpu = '64'"),
            "2:17: flow.slots_per_cpu: expected an integer, found a string");
  EXPECT_EQ(problem_of("[flow]\nslots_per_cpu = 64.0"),
            "2:17: flow.slots_per_cpu: expected an integer, found a number with a fraction");
  EXPECT_EQ(problem_of("[eve]\nenabled = 'yes'"),
            "2:11: eve.enabled: expected true or false, found a string");
  EXPECT_EQ(problem_of("[eve]\npath = true"),
            "2:8: eve.path: expected a path in quotes, found a boolean");
  EXPECT_EQ(problem_of("[ring]\nsize = 2026-01-01"),
            "2:8: ring.size: expected a size such as \"64KiB\", found a date or time");
  EXPECT_EQ(problem_of("[alert]\nsuppress = 60"),
            "2:12: alert.suppress: expected a duration such as \"60s\", found an integer");
  EXPECT_EQ(problem_of("[ipfix]\ncollector = 4739"),
            "2:13: ipfix.collector: expected an address and a port such as \"192.0.2.1:4739\", "
            "found an integer");
  EXPECT_EQ(problem_of("classes = []"), "1:11: classes: expected a table, found an array");
  EXPECT_EQ(problem_of("[classes]\nssh = 22"),
            "2:7: classes.ssh: expected a table, found an integer");
  EXPECT_EQ(problem_of("[classes.ssh]\nports = [22]"),
            "2:10: classes.ssh.ports: expected a string such as \"tcp/22\", found an integer");
}

TEST(Parse, ATypoIsToldWithLineAndColumnAndTheNearestName) {
  EXPECT_EQ(problem_of("[flow]\n\n  slot_per_cpu = 64\n"),
            "3:3: unknown key \"flow.slot_per_cpu\"; did you mean \"slots_per_cpu\"?");
  EXPECT_EQ(problem_of("\n[flwo]\n"), "2:2: unknown table \"flwo\"; did you mean \"flow\"?");
  EXPECT_EQ(problem_of("retian.budget = '1GiB'"),
            "1:1: unknown table \"retian\"; did you mean \"retain\"?");
  EXPECT_EQ(problem_of("[classes.ssh]\nprots = []"),
            "2:1: unknown key \"classes.ssh.prots\"; did you mean \"ports\"?");
  EXPECT_EQ(problem_of("[eve]\nzzzzzz = 1"),
            "2:1: unknown key \"eve.zzzzzz\"; there are enabled, path, flows, rotate_size, keep");
  EXPECT_EQ(problem_of("[classes.ssh]\ninterest = 'captured'"),
            "2:12: classes.ssh.interest: no interest is called \"captured\"; did you mean "
            "\"capture\"?");
}

TEST(Parse, ASyntaxErrorHasThePlaceWhereTheParserStopped) {
  EXPECT_TRUE(problem_of("[flow]\nslots_per_cpu = = 1\n").starts_with("2:17: "));
  EXPECT_TRUE(problem_of("[flow").starts_with("1:6: "));
  EXPECT_TRUE(problem_of("[flow]\n[flow]\n").starts_with("2:1: "));
  EXPECT_TRUE(problem_of("a = 1\na = 2\n").starts_with("2:5: "));
  EXPECT_TRUE(problem_of(std::string_view("a\0b = 1", 7)).starts_with("1:2: "));
  EXPECT_TRUE(problem_of("\xff\xfe = 1").starts_with("1:1: "));
}

TEST(Parse, AHeaderWithoutAKeyIsASyntaxErrorInEveryBuild) {
  for (const std::string toml : {"[&", "[[[", "[[[a]]]", "[[=", "[.a]", "[", "[[", "[]", "[[]]"})
    EXPECT_EQ(parse_config(toml).problems.size(), 1u) << toml;
}

TEST(Parse, LettersBeyondAsciiAreWelcomeInStringsAndCommentsOnly) {
  EXPECT_EQ(accepted("[eve] # é\npath = \"\"\"\\\n é \"\"\"").eve.path, "é ");
  EXPECT_TRUE(problem_of("[eve]\npath = é").starts_with("2:8: "));
  EXPECT_TRUE(problem_of("é = 1").starts_with("1:1: "));
}

TEST(Parse, AllProblemsAreReportedAtOnceInTheOrderOfTheFile) {
  const auto outcome =
      parse_config("[ring]\nsnap = 1\nsize = 3\n[eve]\nwrong = 1\n[alert]\nsuppress = 'x'\n[a]\n");
  ASSERT_EQ(outcome.problems.size(), 5u) << texts_of(outcome);
  std::vector<std::uint32_t> lines;
  for (const auto& problem : outcome.problems) lines.push_back(problem.line);
  EXPECT_EQ(lines, (std::vector<std::uint32_t>{2, 3, 5, 7, 8}));
}

TEST(Parse, ControlCharactersOfTheFileNeverReachAMessage) {
  const auto outcome = parse_config(
      "\"\\u001b[31m\\u009b\" = 1\n[ring]\nsize = \"\\u001b[2J\\u007f\"\n"
      "[classes.\"\\u0007\"]\nports = [\"\\u001b\"]\n\"\\n\" = 1\n");
  EXPECT_GE(outcome.problems.size(), 5u);
  for (const auto& problem : outcome.problems) {
    EXPECT_TRUE(std::none_of(problem.text.begin(), problem.text.end(), [](char c) {
      return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    })) << problem.text;
    EXPECT_FALSE(holds(problem.text, "\u009b"));
  }
  EXPECT_TRUE(holds(texts_of(outcome), "\\x1b[31m\\x9b"));
}

TEST(Parse, AHugeNameIsShortenedInItsMessage) {
  const std::string problem = problem_of(std::string(500'000, 'a') + " = 1");
  EXPECT_LT(problem.size(), 300u);
  EXPECT_TRUE(holds(problem, "aaa…"));
}

TEST(Parse, PathsMayBeRelativeButHoldNoNul) {
  EXPECT_EQ(accepted("[eve]\npath = 'a/../b'").eve.path, "a/../b");
  EXPECT_EQ(accepted("[retain]\ndirectory = ''").retain.directory, "");
  EXPECT_EQ(problem_of("[eve]\npath = \"/etc/x\\u0000y\""),
            "2:8: eve.path: expected a path, found one with a NUL byte");
  accepted("[eve]\npath = '" + std::string(4095, 'a') + "'");
  EXPECT_TRUE(holds(problem_of("[eve]\npath = '" + std::string(4096, 'a') + "'"), "found 4096"));
}

TEST(Parse, DeepNestingIsAProblemAndNoCrash) {
  std::string dotted = "a";
  for (int i = 0; i < 200'000; ++i) dotted += ".a";
  const std::string spaced = std::string("a") + [] {
    std::string s;
    for (int i = 0; i < 100'000; ++i) s += " . a";
    return s;
  }();
  std::string tables;
  for (int i = 0; i < 100'000; ++i) tables += "{a=";
  for (const std::string& toml :
       {dotted + " = 1", "[" + dotted + "]", spaced + " = 1", "a = {" + dotted + " = 1}",
        "a = " + std::string(100'000, '['), "a = " + tables, std::string(1 << 20, '['),
        std::string(1 << 20, '"'), std::string(1 << 20, '\0')})
    EXPECT_EQ(parse_config(toml).problems.size(), 1u) << toml.substr(0, 20);
}

TEST(Parse, ARulerOfDotsInACommentIsNoDeepKey) {
  accepted("# " + std::string(300, '.') + "\n");
  std::string spaced = "#";
  for (int i = 0; i < 300; ++i) spaced += " .";
  accepted(spaced);
}

TEST(Parse, InlineAndDottedTablesMeanTheSame) {
  const Config c = accepted("classes = {ssh = {ports = ['tcp/2222'], severity = 1}}");
  EXPECT_EQ(c, accepted("[classes]\nssh.ports = ['tcp/2222']\nssh.severity = 1\n"));
}

TEST(Dump, IsReadBackAsTheSameConfiguration) {
  EXPECT_EQ(accepted(dump_config(default_config())), default_config());

  Config c = accepted(
      "[classes.z]\nports = ['tcp/1-20', 'udp/1']\n[classes.b]\nports = []\n"
      "[classes.ssh]\nports = []\ninterest = 'count'\ndepth = 4294967295\n");
  c.eve = {false, "a\"b\\c\nd\x1b\x7f\u009bé\u00a0", false, 0, 0};
  c.retain = {false, "relative", 3'000'000, 2'000'000, 90};
  c.retain.severity_1 = Config::Retain::kKeptHeaders;
  c.retain.severity_2 = 1;
  c.retain.flow_depth_bytes = 12'345;
  c.retain.hold_budget_bytes = 0;
  c.retain.hold_seconds = 3600;
  c.flow = {64, 128, NIDS_INTEREST_BYPASS, 1, 7, 6, 5, 4, 3, 2, 86'400};
  c.ring = {1 << 18, 65, 66};
  c.workers = 8;
  c.findings = false;
  c.classes[1].interest = NIDS_INTEREST_IDENTIFY;
  c.classes[1].identify_packets = 255;
  c.alert.suppress_seconds = 0;
  c.ipfix = {{4, {192, 0, 2, 1}, 65'535}, 0, 86'400};
  c.metrics.on_unix_socket = true;
  c.community_id_seed = 1;
  EXPECT_EQ(accepted(dump_config(c)), c);
}

TEST(Dump, WritesAnIpv6CollectorInBrackets) {
  Config c = default_config();
  c.ipfix.collector = {6, {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 2055};
  EXPECT_TRUE(holds(dump_config(c), "collector = \"[fd00::1]:2055\""));
  c.metrics.address = {6, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 9177};
  EXPECT_TRUE(holds(dump_config(c), "listen = \"[::1]:9177\""));
  EXPECT_EQ(accepted(dump_config(c)), c);
}

TEST(Dump, ASizeOfNoWholeUnitIsANumber) {
  const std::string dump = dump_config(default_config());
  EXPECT_TRUE(holds(dump, "\nsnap = 65600\n")) << dump;
  EXPECT_TRUE(holds(dump, "\nsize = \"8MiB\"\n"));
}

TEST(Dump, HoldsNoControlCharacterOfAPath) {
  Config c = default_config();
  c.eve.path = "\x1b[2J\u009b";
  const std::string dump = dump_config(c);
  EXPECT_FALSE(holds(dump, "\x1b"));
  EXPECT_FALSE(holds(dump, "\u009b"));
}

class Load : public Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/nids-config-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string file(const std::string& content) const {
    const std::string path = directory_ + "/nids.toml";
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }
  static std::string error_of(const std::string& path) {
    const auto outcome = load_config(path);
    return outcome ? "none" : outcome.error().message();
  }

  std::string directory_;
};

TEST_F(Load, ReadsAFileAndItsProblems) {
  auto outcome = load_config(file("[ring]\nsnap = 64\n"));
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->config.ring.snap_bytes, 64u);

  outcome = load_config(file("[ring]\nsnap = 63\n"));
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->problems.size(), 1u);
}

TEST_F(Load, TakesOneMebibyteAndNoMore) {
  const std::string comments = "#" + std::string((1 << 20) - 2, 'x') + "\n";
  ASSERT_TRUE(load_config(file(comments)));
  EXPECT_TRUE(holds(error_of(file(comments + "\n")), "larger than 1MiB"));
}

TEST_F(Load, RefusesWhatIsNoRegularFileWithoutWaiting) {
  const std::string fifo = directory_ + "/fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);

  EXPECT_TRUE(holds(error_of(fifo), "not a regular file"));
  EXPECT_TRUE(holds(error_of("/dev/zero"), "not a regular file"));
  EXPECT_TRUE(holds(error_of(directory_), "Is a directory"));
  EXPECT_TRUE(holds(error_of(directory_ + "/none"), "No such file"));
  EXPECT_TRUE(holds(error_of(std::string("/dev/null\0.toml", 15)), "NUL"));
}

}  // namespace
}  // namespace nids
