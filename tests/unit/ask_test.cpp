// SPDX-License-Identifier: Apache-2.0
// `alerts`, `pcap list` and `pcap summary` over a directory of kept packets.
#include <sys/wait.h>

#include "cli/short_text.hpp"
#include "support/ask_case.hpp"

namespace nids {
namespace {

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

TEST_F(Ask, TheLongestAddressesStandBelowEachOther) {
  KeptFlow longest = KeptDirectory::flow(9, 50'009);
  longest.ends = sample_ends("192.168.100.200", 50'009, "192.168.100.201", 53'413);
  KeptFlow ipv6 = KeptDirectory::flow(10);
  ipv6.ends.ip_version = 6;
  for (std::uint8_t& byte : ipv6.ends.client) byte = 0xfd;
  for (std::uint8_t& byte : ipv6.ends.server) byte = 0xfe;
  kept.add(3, longest, 6);
  kept.add(3, ipv6, 7);
  kept.alerts.push_back({kept.alert(3, longest), std::nullopt});
  kept.alerts.push_back({kept.alert(4, ipv6), std::nullopt});
  kept.alerts.back().alert.signature = "IPv6 with a routing header of type 0";
  kept.alerts.back().alert.time.ns -= 2 * 365 * 86'400'000'000'000;
  std::filesystem::remove(kept.path + "/" + kIndexFile);
  kept.write();
  for (const std::size_t width : {80, 100, 110, 120, 160, 300}) {
    for (const bool is_list : {true, false}) {
      out.str("");
      io.width = width;
      ASSERT_EQ(is_list ? run_pcap_list(choice, false, io) : run_alerts_list(alerts, io), kOk);
      std::istringstream lines(out.str());
      std::string header;
      std::getline(lines, header);
      const std::size_t server = header.find("SERVER");
      for (std::string line; std::getline(lines, line) && line.find("UTC") == line.npos;) {
        EXPECT_LE(columns_of(line), width) << line;
        if (line.find("fdfd") == line.npos) {
          EXPECT_EQ(line[server - 1], ' ') << out.str();
          EXPECT_NE(line[server], ' ') << out.str();
        }
      }
      EXPECT_TRUE(width < 300 || out.str().find("\u2026") == std::string::npos) << out.str();
      EXPECT_SAYS(out.str(), "192.168.100.200:50009 ");
      EXPECT_SAYS(out.str(), "192.168.100.201:53413 ");
    }
    EXPECT_SAYS(out.str(), "2024-11-22 10:00");
  }
}

TEST_F(Ask, WhereNothingIsFoundTheDirectoryIsNamed) {
  choice.filter = "udp";
  ASSERT_EQ(run_pcap_list(choice, false, io), kOk);
  EXPECT_SAYS(out.str(), "0 flows of those in " + kept.path + ", ");
  alerts.class_list = "telnet";
  ASSERT_EQ(run_alerts_list(alerts, io), kOk);
  EXPECT_SAYS(out.str(), "0 alerts of those in " + kept.path + ", ");
}

TEST_F(Ask, AFlowHasTheColourOfItsWorstAlert) {
  kept.alerts.push_back({kept.alert(3, eight), std::nullopt});
  kept.alerts.back().alert.severity = 3;
  kept.write_index();
  io.colour = true;
  ASSERT_EQ(run_pcap_list(choice, false, io), kOk);
  EXPECT_SAYS(out.str(), "\n\x1b[33m");  // severity 2
  EXPECT_SAYS(out.str(), "\n\x1b[2m");   // 3
  EXPECT_EQ(out.str().find("\x1b[31m"), std::string::npos);
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
  EXPECT_EQ(out.str().find("its own  "), std::string::npos) << "said of all packets already";
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

TEST_F(Ask, AnAlertWhosePacketIsGoneSaysSo) {
  kept.alerts = {{kept.alert(1, seven), std::nullopt}};
  std::erase_if(kept.spans, [](const auto& one) { return one.first.first.sequence == 2; });
  kept.files.erase(KeptDirectory::name_of(2));
  std::filesystem::remove_all(kept.path);
  std::filesystem::create_directories(kept.path);
  kept.write();
  alerts.id = 1;
  ASSERT_EQ(run_alerts_show(alerts, io), kOk) << err.str();
  EXPECT_SAYS(out.str(), "its own       not kept, or it had to make room for others\n");
  EXPECT_SAYS(out.str(), ", in 1 segment\n");
}

TEST_F(Ask, CountersThatWereNotReadYetAreNotCalledNone) {
  KeptAlert early = kept.alert(3, seven);
  early.record = R"({"alert": {}, "flow": {"flow_id": 7, "flow": {"pkts_toserver": 0,
    "bytes_toserver": 0, "pkts_toclient": 0, "bytes_toclient": 0, "state": "new", "age": 0}}})";
  kept.alerts = {{early, std::nullopt}};
  kept.write_index();
  alerts.id = 3;
  ASSERT_EQ(run_alerts_show(alerts, io), kOk) << err.str();
  EXPECT_SAYS(out.str(), "not read yet");
  for (const char* part : {"0 packets", "0 bytes", "0 s", "new"})
    EXPECT_EQ(out.str().find(part), std::string::npos) << out.str();
  alerts.json = true;
  out.str("");
  ASSERT_EQ(run_alerts_show(alerts, io), kOk);
  EXPECT_EQ(Json::parse(out.str())["flow"]["flow"]["pkts_toserver"], 0);
}

TEST_F(Ask, WhatWasFoundIsSaidOnce) {
  KeptAlert land = kept.alert(3, {});
  land.signature_id.sid = 2001;
  land.kind = AlertKind::kStatelessFinding;
  land.record = R"({"alert": {"alert": {"context": {"observed":
    "sent from its own destination, address and port"}}}, "flow": null})";
  kept.alerts = {{land, std::nullopt}};
  kept.write_index();
  alerts.id = 3;
  ASSERT_EQ(run_alerts_show(alerts, io), kOk) << err.str();
  EXPECT_SAYS(out.str(), "land: sent from its own destination");
  EXPECT_EQ(out.str().find("observed"), std::string::npos) << out.str();
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
  std::ofstream(*alerts.retain + "/" + kIndexFile) << "no database, but long enough to be one";
  EXPECT_EQ(run_alerts_list(alerts, io), kFailed);
}

TEST_F(Ask, WithoutRetainTheConfiguredDirectoryIsAsked) {
  const std::string config = kept.path + "/c.toml";
  std::ofstream(config) << "[retain]\ndirectory = \"" << kept.path << "\"\n";
  io.paths.config = config;
  alerts.retain.reset();
  EXPECT_EQ(listed_alerts().size(), 2u);
}

TEST_F(Ask, AFileThatIsNamedSaysWhichDirectoryUnlessRetainDoes) {
  const std::string config = kept.path + "/c.toml";
  std::ofstream(config) << "[retain]\ndirectory = \"" << kept.path << "\"\n";
  alerts.retain.reset();
  alerts.config = config;
  EXPECT_EQ(listed_alerts().size(), 2u);
  alerts.json = false;
  alerts.id = 1;
  ASSERT_EQ(run_alerts_show(alerts, io), kOk);
  EXPECT_SAYS(out.str(), "export --alert 1 --retain " + kept.path + " -o") << "it works by itself";
  choice = {.alert = 1, .retain = {}, .config = config};
  EXPECT_EQ(list().size(), 1u);
  EXPECT_EQ(run_export(), kOk) << err.str();
  alerts.retain = kept.path + "/absent";
  EXPECT_EQ(run_alerts_list(alerts, io), kFailed);
  alerts.retain.reset();
  alerts.config = kept.path + "/absent.toml";
  EXPECT_EQ(run_alerts_list(alerts, io), kFailed);
  EXPECT_SAYS(err.str(), "absent.toml");
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
