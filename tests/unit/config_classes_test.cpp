// SPDX-License-Identifier: Apache-2.0
// The classes of a configuration: built in, changed, added, and restricted by name.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "support/config_text.hpp"

namespace nids {
namespace {

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

TEST(Restrict, LeavesOnlyTheListedClassesToBeInspected) {
  Config c = default_config();
  ASSERT_TRUE(restrict_classes(c, "ssh,winrm"));
  for (const auto& cls : c.classes) {
    const bool is_listed = cls.name == "ssh" || cls.name == "winrm";
    EXPECT_EQ(cls.interest, is_listed ? NIDS_INTEREST_INSPECT : NIDS_INTEREST_COUNT) << cls.name;
  }
}

TEST(Restrict, BlanksAroundNamesAreNoPartOfThem) {
  Config spaced = default_config(), plain = default_config();
  ASSERT_TRUE(restrict_classes(spaced, " ssh,\ttelnet , tls"));
  ASSERT_TRUE(restrict_classes(plain, "ssh,telnet,tls"));
  EXPECT_EQ(spaced, plain);
}

TEST(Restrict, AClassThatIsOnlyCountedStaysSo) {
  Config c = accepted("[classes.ssh]\ninterest = 'count'\n");
  ASSERT_TRUE(restrict_classes(c, "ssh"));
  EXPECT_EQ(c.classes[0].interest, NIDS_INTEREST_COUNT);
}

TEST(Restrict, AnUnknownNameChangesNothingAndNamesTheClasses) {
  for (const std::string list :
       {"", ",", "ssh,", "ssh,,tls", "SSH", "ssh tls", "ssh, ", "ssh,telent"}) {
    Config c = default_config();
    const auto result = restrict_classes(c, list);
    ASSERT_FALSE(result) << list;
    EXPECT_TRUE(holds(result.error().message(), "ssh, telnet, tls")) << result.error().message();
    EXPECT_EQ(c, default_config());
  }
  Config c = default_config();
  EXPECT_TRUE(holds(restrict_classes(c, "telent").error().message(), "mean \"telnet\"?"));
}

}  // namespace
}  // namespace nids
