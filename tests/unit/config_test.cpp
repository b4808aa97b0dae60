// SPDX-License-Identifier: Apache-2.0
#include "config/config.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace nids {
namespace {

using ::testing::Test;

std::string text_of(const ConfigProblem& p) {
  return std::to_string(p.line) + ":" + std::to_string(p.column) + ": " + p.text;
}

std::string texts_of(const ConfigOutcome& outcome) {
  std::string all;
  for (const auto& problem : outcome.problems) all += text_of(problem) + "\n";
  return all;
}

bool holds(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

Config accepted(std::string_view toml) {
  const auto outcome = parse_config(toml);
  EXPECT_EQ(texts_of(outcome), "") << toml;
  return outcome.config;
}

// The one problem of the file, or what there is instead.
std::string problem_of(std::string_view toml) {
  const auto outcome = parse_config(toml);
  if (outcome.problems.size() == 1) return text_of(outcome.problems[0]);
  return std::to_string(outcome.problems.size()) + " problems\n" + texts_of(outcome);
}

const ProtocolClass& class_named(const Config& config, std::string_view name) {
  const auto found = std::find_if(config.classes.begin(), config.classes.end(),
                                  [&](const auto& c) { return c.name == name; });
  if (found == config.classes.end()) std::abort();
  return *found;
}

// "tcp/22" to the name of its class.
std::map<std::pair<int, int>, std::string> builtin_ports() {
  std::map<std::pair<int, int>, std::string> owners;
  for (const auto& c : builtin_classes())
    for (const auto& range : c.ports)
      for (int port = range.first; port <= range.last; ++port) {
        const bool is_new = owners.emplace(std::pair(int{range.l4_proto}, port), c.name).second;
        EXPECT_TRUE(is_new) << c.name << " " << port;
      }
  return owners;
}

TEST(BuiltinClasses, HaveTheirIndexesAndSignaturesInTheFixedOrder) {
  const std::vector<std::string> names = {
      "ssh",     "telnet", "tls", "sip",  "netis",  "rfb",   "microsoft-ds", "netbios",
      "ftp",     "tftp",   "rsh", "rdp",  "ms-sql", "mysql", "postgres",     "redis",
      "mongodb", "docker", "x11", "snmp", "irc",    "adb",   "winrm"};
  const auto classes = builtin_classes();

  ASSERT_EQ(classes.size(), names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(classes[i].name, names[i]);
    EXPECT_EQ(classes[i].signature_id, 1001 + i);
    EXPECT_EQ(classes[i].interest, NIDS_INTEREST_INSPECT);
    EXPECT_EQ(classes[i].identify_packets, 8);
  }
}

TEST(BuiltinClasses, ClaimEachPortOnceAndForTheRightClass) {
  const auto owners = builtin_ports();
  struct Expected {
    int l4_proto, first, last;
    const char* name;
  };
  const Expected expected[] = {
      {6, 22, 22, "ssh"},           {6, 23, 23, "telnet"},         {6, 443, 443, "tls"},
      {6, 465, 465, "tls"},         {6, 563, 563, "tls"},          {6, 636, 636, "tls"},
      {6, 853, 853, "tls"},         {6, 989, 990, "tls"},          {6, 992, 995, "tls"},
      {6, 8443, 8443, "tls"},       {6, 5060, 5061, "sip"},        {17, 5060, 5061, "sip"},
      {17, 53413, 53413, "netis"},  {6, 5900, 5984, "rfb"},        {6, 5987, 5999, "rfb"},
      {6, 5985, 5986, "winrm"},     {6, 445, 445, "microsoft-ds"}, {17, 445, 445, "microsoft-ds"},
      {6, 137, 139, "netbios"},     {17, 137, 139, "netbios"},     {6, 21, 21, "ftp"},
      {17, 69, 69, "tftp"},         {6, 512, 514, "rsh"},          {6, 3389, 3389, "rdp"},
      {17, 3389, 3389, "rdp"},      {6, 1433, 1433, "ms-sql"},     {17, 1434, 1434, "ms-sql"},
      {6, 3306, 3306, "mysql"},     {6, 5432, 5432, "postgres"},   {6, 6379, 6379, "redis"},
      {6, 27017, 27019, "mongodb"}, {6, 2375, 2377, "docker"},     {6, 6000, 6063, "x11"},
      {6, 161, 162, "snmp"},        {17, 161, 162, "snmp"},        {6, 194, 194, "irc"},
      {6, 6660, 6669, "irc"},       {6, 6697, 6697, "irc"},        {6, 5555, 5555, "adb"},
  };

  std::size_t count = 0;
  for (const auto& e : expected)
    for (int port = e.first; port <= e.last; ++port, ++count) {
      const auto owner = owners.find({e.l4_proto, port});
      ASSERT_NE(owner, owners.end()) << e.name << " " << port;
      EXPECT_EQ(owner->second, e.name) << port;
    }
  EXPECT_EQ(owners.size(), count) << "a class claims a port that nobody expects";
}

TEST(BuiltinClasses, AreSevereWhereTheyHandOverTheMachine) {
  const std::string high = "telnet netis rsh docker adb";
  for (const auto& c : builtin_classes())
    EXPECT_EQ(c.severity, holds(high, c.name) ? 1 : c.name == "tls" ? 3 : 2) << c.name;
}

TEST(BuiltinClasses, CaptureOfTlsEndsSoonAfterTheHandshake) {
  for (const auto& c : builtin_classes())
    EXPECT_EQ(c.depth_bytes, c.name == "tls" ? 16u * 1024 : 64u * 1024) << c.name;
}

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
  const std::map<std::string, std::uint64_t> durations = {{"0s", 0},         {"500ms", 500},
                                                          {"10s", 10'000},   {"2m", 120'000},
                                                          {"1h", 3'600'000}, {"1d", 86'400'000}};
  for (const auto& [text, ms] : durations) {
    const auto duration = parse_duration_ms(text);
    ASSERT_TRUE(duration) << text;
    EXPECT_EQ(*duration, ms) << text;
  }
  for (const std::string text : {"", "10", "-1s", "+1s", "1 s", "s", "1.5s", "1M", "1us",
                                 "18446744073709551615s", "99999999999999999999ms"}) {
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
[flow]
slots_per_cpu = 128
ipv6_slots_per_cpu = 256
unclassified = "identify"
max_tracked_flows = 7
[ring]
size = "1MiB"
snap = 256
sample = 128
count = 4
[findings]
enabled = false
[alert]
suppress = "5m"
max_suppressions = 9
[eve]
enabled = false
path = "eve.json"
[retain]
enabled = false
directory = "/tmp/kept"
budget = "10MB"
segment = 1048576
min_free_percent = 0
[community_id]
seed = 65535
)");
  Config expected = default_config();
  expected.flow = {128, 256, NIDS_INTEREST_IDENTIFY, 7};
  expected.ring = {1 << 20, 256, 128, 4};
  expected.findings = false;
  expected.alert = {300, 9};
  expected.eve = {false, "eve.json"};
  expected.retain = {false, "/tmp/kept", 10'000'000, 1 << 20, 0};
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
       {"'count'", "'identify'", "'inspect'", "'capture'", "'bypass'"},
       {"'none'", "''", "0"}},
      {"flow", "max_tracked_flows", {"1", "16777216"}, {"0", "16777217", "-1"}},
      {"ring",
       "size",
       {"'256KiB'", "'1GiB'", "262144"},
       {"'128KiB'", "'257KiB'", "'2GiB'", "0", "-262144"}},
      {"ring", "snap", {"64", "65600", "'65600'"}, {"63", "65601", "'64KiBs'", "-1"}},
      {"ring", "sample", {"64", "65600"}, {"63", "65601", "0"}},
      {"ring", "count", {"1", "64"}, {"0", "65", "-1"}},
      {"findings", "enabled", {"true", "false"}, {"0", "'yes'"}},
      {"alert", "suppress", {"'0s'", "'168h'"}, {"'169h'", "'1500ms'", "'604801s'"}},
      {"alert", "max_suppressions", {"1", "16777216"}, {"0", "16777217"}},
      {"retain", "budget", {"'64MiB'", "'1024TiB'"}, {"'1MB'", "'1025TiB'", "67108863"}},
      {"retain", "segment", {"'1MiB'", "'1GiB'"}, {"1048575", "'1025MiB'"}},
      {"retain", "min_free_percent", {"0", "90"}, {"91", "-1"}},
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

TEST(Parse, ARefusedBudgetIsNotComparedWithTheSegment) {
  EXPECT_TRUE(holds(problem_of("[retain]\nbudget = 1\nsegment = '2GiB'\n"), "retain.budget: "));
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
            "2:1: unknown key \"eve.zzzzzz\"; there are enabled, path");
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

TEST(Classes, ATableChangesOnlyTheKeysThatItGives) {
  const Config c = accepted("[classes.ssh]\nseverity = 1\n");
  Config expected = default_config();
  expected.classes[0].severity = 1;
  EXPECT_EQ(c, expected);
}

TEST(Classes, PortsReplaceAndNoPortsSwitchAClassOff) {
  const Config c =
      accepted("[classes.ssh]\nports = ['tcp/2222', 'tcp/2200-2210']\n[classes.tls]\nports = []\n");
  EXPECT_EQ(class_named(c, "ssh").ports,
            (std::vector<PortRange>{{6, 2222, 2222}, {6, 2200, 2210}}));
  EXPECT_EQ(class_named(c, "ssh").signature_id, 1001u);
  EXPECT_EQ(class_named(c, "ssh").technique, "T1021.004");
  EXPECT_TRUE(class_named(c, "tls").ports.empty());
}

TEST(Classes, NewOnesAreAppendedInTheOrderOfTheFile) {
  const Config c = accepted(
      "[classes.zebra]\nports = ['udp/7777']\ninterest = 'count'\ndepth = '1KiB'\n"
      "[classes.ant]\nports = ['tcp/7777']\n");
  ASSERT_EQ(c.classes.size(), builtin_classes().size() + 2);
  const ProtocolClass zebra{.name = "zebra",
                            .signature_id = 1999,
                            .severity = 2,
                            .interest = NIDS_INTEREST_COUNT,
                            .depth_bytes = 1024,
                            .ports = {{17, 7777, 7777}},
                            .technique = ""};
  EXPECT_EQ(c.classes[23], zebra);
  EXPECT_EQ(c.classes[24].name, "ant");
}

TEST(Classes, ANewOneNeedsPortsAndAMistypedOneIsRecognised) {
  EXPECT_EQ(problem_of("[classes.shh]\nseverity = 1\n"),
            "1:10: class \"shh\" is not built in and has no ports; did you mean \"ssh\"?");
  accepted("[classes.shh]\nports = []\n");
}

TEST(Classes, NamesAreShortAndPlain) {
  accepted("[classes.a]\nports = []\n[classes.a2345678901234567890-23]\nports = []\n");
  for (const std::string name : {"A", "a_b", "''", "'a b'", "'é'", "a23456789012345678901234"})
    EXPECT_TRUE(holds(problem_of("[classes." + name + "]\nports = []\n"), "1 to 23 of a-z"))
        << name;
}

TEST(Classes, ThereAreAsManyAsTheKernelHasIndexesFor) {
  std::string toml;
  const auto append = [&](std::size_t i) {
    toml += "[classes.n" + std::to_string(i) + "]\nports = ['tcp/" + std::to_string(10'000 + i) +
            "']\n";
  };
  for (std::size_t i = builtin_classes().size(); i < NIDS_CLASS_MAX - 1; ++i) append(i);
  EXPECT_EQ(accepted(toml).classes.size(), NIDS_CLASS_MAX - 1u);
  append(NIDS_CLASS_MAX);
  EXPECT_TRUE(holds(problem_of(toml), "class \"n64\" is one too many: expected 63 at most"));
}

TEST(Classes, APortIsOneOrARangeOfATransport) {
  const Config c = accepted("[classes.x]\nports = ['tcp/65535', 'udp/65535', 'tcp/1-2']\n");
  EXPECT_EQ(class_named(c, "x").ports,
            (std::vector<PortRange>{{6, 65'535, 65'535}, {17, 65'535, 65'535}, {6, 1, 2}}));
  for (const std::string port : {"", "22", "tcp", "tcp/", "TCP/22", "sctp/22", "tcp/0", "tcp/65536",
                                 "tcp/-1", "tcp/+1", "tcp/1-", "tcp/-", "tcp/2-1", "tcp/1-2-3",
                                 "tcp/ 22", "tcp/22 ", "tcp/1-65536", "tcp/0-5"}) {
    const std::string problem = problem_of("[classes.x]\nports = ['" + port + "']\n");
    EXPECT_TRUE(problem.starts_with("2:10: classes.x.ports: cannot read ")) << problem;
    EXPECT_TRUE(holds(problem, "expected")) << problem;
  }
}

TEST(Classes, APortOfTwoClassesIsAProblemThatNamesBoth) {
  EXPECT_EQ(
      problem_of("[classes.mine]\nports = ['tcp/2000', 'tcp/20-30']\n"),
      "2:22: class \"mine\" claims tcp/21, which class \"ftp\" has: expected each port in one "
      "class at most");
  EXPECT_EQ(
      problem_of("[classes.b]\nports = ['udp/9']\n[classes.a]\nports = ['udp/9']\n"),
      "4:10: class \"a\" claims udp/9, which class \"b\" has: expected each port in one class "
      "at most");
  EXPECT_EQ(problem_of("[classes.b]\nports = ['udp/9', 'udp/8-10']\n"),
            "2:19: class \"b\" has udp/9 twice");
  accepted("[classes.b]\nports = ['udp/9', 'tcp/9']\n");
}

TEST(Classes, APortMovesWhereItsOldClassLetsGo) {
  const Config c =
      accepted("[classes.mine]\nports = ['tcp/22']\n[classes.ssh]\nports = ['tcp/2222']\n");
  EXPECT_EQ(class_named(c, "mine").ports, (std::vector<PortRange>{{6, 22, 22}}));
}

TEST(Dump, IsReadBackAsTheSameConfiguration) {
  EXPECT_EQ(accepted(dump_config(default_config())), default_config());

  Config c = accepted(
      "[classes.z]\nports = ['tcp/1-20', 'udp/1']\n[classes.b]\nports = []\n"
      "[classes.ssh]\nports = []\ninterest = 'count'\ndepth = 4294967295\n");
  c.eve = {false, "a\"b\\c\nd\x1b\x7f\u009bé\u00a0"};
  c.retain = {false, "relative", 3'000'000, 2'000'000, 90};
  c.flow = {64, 128, NIDS_INTEREST_BYPASS, 1};
  c.ring = {1 << 18, 65, 66, 64};
  c.findings = false;
  c.classes[1].interest = NIDS_INTEREST_IDENTIFY;
  c.classes[1].identify_packets = 255;
  c.alert.suppress_seconds = 0;
  c.community_id_seed = 1;
  EXPECT_EQ(accepted(dump_config(c)), c);
}

TEST(Dump, HoldsNoControlCharacterOfAPath) {
  Config c = default_config();
  c.eve.path = "\x1b[2J\u009b";
  const std::string dump = dump_config(c);
  EXPECT_FALSE(holds(dump, "\x1b"));
  EXPECT_FALSE(holds(dump, "\u009b"));
}

TEST(Restrict, LeavesOnlyTheListedClassesToBeInspected) {
  Config c = default_config();
  ASSERT_TRUE(restrict_classes(c, "ssh,winrm"));
  for (const auto& cls : c.classes) {
    const bool is_listed = cls.name == "ssh" || cls.name == "winrm";
    EXPECT_EQ(cls.interest, is_listed ? NIDS_INTEREST_INSPECT : NIDS_INTEREST_COUNT) << cls.name;
  }
}

TEST(Restrict, AClassThatIsOnlyCountedStaysSo) {
  Config c = accepted("[classes.ssh]\ninterest = 'count'\n");
  ASSERT_TRUE(restrict_classes(c, "ssh"));
  EXPECT_EQ(c.classes[0].interest, NIDS_INTEREST_COUNT);
}

TEST(Restrict, AnUnknownNameChangesNothingAndNamesTheClasses) {
  for (const std::string list : {"", ",", "ssh,", "ssh,,tls", "SSH", "ssh, tls", "ssh,telent"}) {
    Config c = default_config();
    const auto result = restrict_classes(c, list);
    ASSERT_FALSE(result) << list;
    EXPECT_TRUE(holds(result.error().message(), "ssh, telnet, tls")) << result.error().message();
    EXPECT_EQ(c, default_config());
  }
  Config c = default_config();
  EXPECT_TRUE(holds(restrict_classes(c, "telent").error().message(), "mean \"telnet\"?"));
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
