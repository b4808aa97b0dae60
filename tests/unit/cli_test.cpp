// SPDX-License-Identifier: Apache-2.0
// Subcommands that need no kernel, as functions of their streams.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/command.hpp"
#include "cli/report.hpp"
#include "cli/selection.hpp"
#include "cli/started.hpp"
#include "cli/wrapped.hpp"

namespace nids {
namespace {

class Cli : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(directory); }
  void TearDown() override { std::filesystem::remove_all(directory); }

  std::string write(const std::string& name, const std::string& text) {
    const std::string path = directory + "/" + name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }

  std::string directory =
      std::filesystem::temp_directory_path().string() + "/nids-cli-" + std::to_string(getpid());
  std::ostringstream out, err;
  Io io{.out = out, .err = err, .paths = {.config = directory + "/none.toml"}};
};

TEST_F(Cli, ConfigCheckNamesTheLineAndColumnOfATypo) {
  const auto file = write("typo.toml", "[retain]\nbudgett = \"1GiB\"\n");

  EXPECT_EQ(run_config_check(file, io), kProblemsFound);
  EXPECT_NE(out.str().find(file + ":2:1: "), std::string::npos) << out.str();
  EXPECT_NE(out.str().find("budget"), std::string::npos);
}

TEST_F(Cli, ConfigCheckWithoutAFileIsFineAndSaysSo) {
  EXPECT_EQ(run_config_check({}, io), kOk);
  EXPECT_NE(out.str().find("defaults"), std::string::npos);
}

TEST_F(Cli, AConfigurationThatWasNamedHasToBeThere) {
  EXPECT_EQ(run_config_dump(directory + "/absent.toml", io), kFailed);
  EXPECT_NE(err.str().find("absent.toml"), std::string::npos);
}

TEST_F(Cli, WhatDumpPrintsPassesCheck) {
  ASSERT_EQ(run_config_dump({}, io), kOk);
  const auto file = write("dump.toml", out.str());
  EXPECT_EQ(run_config_check(file, io), kOk) << out.str();
}

TEST_F(Cli, ClassesAsJsonHaveNamePortsSeverityAndInterest) {
  ASSERT_EQ(run_classes(true, {}, io), kOk);
  const auto classes = nlohmann::json::parse(out.str());

  EXPECT_EQ(classes.at(0).at("name"), "ssh");
  EXPECT_EQ(classes.at(0).at("ports").at(0), "tcp/22");
  EXPECT_EQ(classes.at(0).at("severity"), 2);
  EXPECT_EQ(classes.at(0).at("interest"), "inspect");
}

TEST_F(Cli, ClassesBreakTheirPortsAtTheWidthOfTheTerminal) {
  const auto longest_line = [&](std::size_t width) {
    out.str("");
    io.width = width;
    EXPECT_EQ(run_classes(false, {}, io), kOk);
    std::istringstream lines(out.str());
    std::size_t longest = 0;
    for (std::string line; std::getline(lines, line);) longest = std::max(longest, line.size());
    return longest;
  };
  EXPECT_LE(longest_line(80), 80u) << out.str();
  EXPECT_GT(longest_line(0), 80u) << "a line a class for scripts";
}

TEST_F(Cli, DetachWithoutAnInterfaceLeadsToItsOwnHelp) {
  EXPECT_EQ(run_detach({}, io), kUsage);
  EXPECT_NE(err.str().find("\n  hint: nids-xdp detach --help\n"), std::string::npos) << err.str();
}

TEST_F(Cli, AttachOptionsThatAreWrongLeadToItsHelp) {
  AttachArguments arguments;
  arguments.snap = "7";
  EXPECT_EQ(run_attach(arguments, io), kUsage);
  EXPECT_NE(err.str().find("hint: nids-xdp attach --help"), std::string::npos) << err.str();
}

TEST_F(Cli, ACountThatIsNoneIsAUsageError) {
  const auto is_refused = [&](std::optional<std::string> SelectionArguments::*option,
                              const std::string& text) {
    AttachArguments attach;
    attach.selection.*option = text;
    ReplayArguments replay;
    replay.file = directory + "/absent.pcap";
    replay.selection.*option = text;
    err.str("");
    EXPECT_EQ(run_attach(attach, io), kUsage) << text;
    EXPECT_NE(err.str().find("is no whole number"), std::string::npos) << err.str();
    EXPECT_EQ(run_replay(replay, io), kUsage) << text;
  };
  for (const char* text : {"", "-1", "+1", "1.5", "ten", "1e3", "0x10", " 1", "1 ",
                           "9223372036854775808", "18446744073709551617"}) {
    is_refused(&SelectionArguments::count, text);
    is_refused(&SelectionArguments::store, text);
  }
  is_refused(&SelectionArguments::count, "0");
}

TEST_F(Cli, CountsUpToTheirBoundsAreTaken) {
  auto taken = selected_counts({.filter = {}, .count = "9223372036854775807", .store = "0"});
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->max_suspicious, 9'223'372'036'854'775'807u);
  EXPECT_TRUE(keeps_nothing(*taken));
  taken = selected_counts({.filter = {}, .count = "1", .store = "007"});
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->max_suspicious, 1u);
  EXPECT_EQ(taken->max_kept, 7u);
  taken = selected_counts({});
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->max_suspicious, Selection::kNoLimit);
  EXPECT_EQ(taken->max_kept, Selection::kNoLimit);
}

TEST_F(Cli, AFilterThatIsNoneIsAUsageError) {
  AttachArguments attach;
  for (const char* text : {"port port", "host example.org", "tcp port"}) {
    attach.selection.filter = text;
    err.str("");
    EXPECT_EQ(run_attach(attach, io), kUsage) << text;
    EXPECT_NE(err.str().find(std::string("cannot filter by \"") + text), std::string::npos)
        << err.str();
    EXPECT_NE(err.str().find("hint: nids-xdp attach --help"), std::string::npos) << err.str();
  }
}

TEST_F(Cli, AFileThatIsNotThereHasANextStep) {
  EXPECT_EQ(run_config_check(directory + "/absent.toml", io), kFailed);
  EXPECT_NE(err.str().find("hint: nids-xdp config dump"), std::string::npos) << err.str();
  err.str("");
  ReplayArguments arguments;
  arguments.file = directory + "/absent.pcap";
  EXPECT_EQ(run_replay(arguments, io), kFailed);
  EXPECT_NE(err.str().find("hint: name a capture file"), std::string::npos) << err.str();
}

TEST_F(Cli, AConfigurationWithProblemsLeadsToCheck) {
  const auto file = write("bad.toml", "[retain]\nbudgett = 1\n");
  EXPECT_EQ(run_config_dump(file, io), kFailed);
  EXPECT_NE(err.str().find("hint: nids-xdp config check " + file), std::string::npos) << err.str();
}

TEST(Started, SaysWhereThingsGoAndWhenItEnds) {
  StartedFacts facts{.alerts = "standard output", .packets = "", .now = {}, .duration = {}};
  EXPECT_EQ(started_text(facts),
            "nids-xdp: alerts go to standard output\nnids-xdp: packets are not kept\n"
            "nids-xdp: ^C ends\n");
  facts.duration = std::chrono::minutes(2);
  EXPECT_NE(started_text(facts).find("ends at 1970-01-01 00:02:00 UTC; ^C ends sooner"),
            std::string::npos);
  facts.max_suspicious = 5;
  EXPECT_NE(started_text(facts).find("UTC or after 5 suspicious packets; ^C ends sooner"),
            std::string::npos);
  facts.max_suspicious = StartedFacts::kUnlimited;
  facts.duration = std::chrono::milliseconds::max();
  EXPECT_NE(started_text(facts).find("nids-xdp: ^C ends\n"), std::string::npos);
}

TEST(Watch, TellsEachBlocksTimeAndPartsIt) {
  const std::chrono::seconds time{90};
  EXPECT_EQ(watch_header(time, true), "1970-01-01T00:01:30.000000+0000\n");
  EXPECT_EQ(watch_header(time, false), "\n1970-01-01T00:01:30.000000+0000\n");
}

TEST(Wrapped, BreaksAtBlanksAndLosesNone) {
  EXPECT_EQ(wrapped("one two three", 2, 9), "one two\n  three");
  EXPECT_EQ(wrapped("one two three", 2, 0), "one two three");
  EXPECT_EQ(wrapped("one two three", 20, 10), "one two three");
  EXPECT_EQ(wrapped("unbreakable is", 0, 5), "unbreakable\nis");
  EXPECT_EQ(wrapped("", 0, 5), "");
}

StatsReport balanced_report() {
  StatsReport report;
  report.counters.seen[NIDS_INGRESS] = {10, 1000};
  report.counters.seen[NIDS_EGRESS] = {5, 500};
  report.counters.live = {11, 1100};
  report.counters.exported = {2, 200};
  report.counters.unaccounted = {1, 100};
  report.counters.no_flow = {1, 100};
  report.pending = nids_sum{};
  return report;
}

TEST(Ledger, BalancesInPacketsAndInBytes) {
  StatsReport report = balanced_report();
  EXPECT_EQ(is_balanced(report), true);
  report.counters.live.bytes += 1;
  EXPECT_EQ(is_balanced(report), false);
  report = balanced_report();
  report.counters.seen[NIDS_EGRESS].packets += 1;
  EXPECT_EQ(is_balanced(report), false);
}

TEST(Ledger, BalancesOnlyWhereEachRecordIsAccountedFor) {
  StatsReport report = balanced_report();
  report.counters.ring_offered = {10, 1000};
  report.counters.ring_lost[NIDS_REASON_CAPTURE] = {2, 200};
  report.counters.copy_failed = {1, 100};
  report.agent_counters.consumed = {4, 400};
  report.pending = nids_sum{3, 300};
  EXPECT_EQ(is_balanced(report), true);
  EXPECT_EQ(stats_json(report)["ledger"]["balanced"], true);
  report.pending = nids_sum{2, 300};
  EXPECT_EQ(is_balanced(report), false);
  EXPECT_EQ(stats_json(report)["ledger"]["balanced"], false);
  report.pending = nids_sum{3, 299};
  EXPECT_EQ(is_balanced(report), false);
}

TEST(Ledger, IsNotSaidToBalanceWhereTheRingIsNotKnown) {
  StatsReport report = balanced_report();
  report.pending.reset();
  EXPECT_EQ(is_balanced(report), std::nullopt);
  EXPECT_TRUE(stats_json(report)["ledger"]["balanced"].is_null());
  EXPECT_NE(stats_text(report).find("balance not known"), std::string::npos);
  EXPECT_EQ(stats_text(report).find("  balanced"), std::string::npos);
  report.counters.live.packets += 1;
  EXPECT_EQ(is_balanced(report), false) << "what is wrong is known all the same";
}

TEST(Ledger, DoesNotBalanceWhereTheSlotsHoldSomethingElse) {
  StatsReport report = balanced_report();
  report.scan_agrees = false;
  EXPECT_EQ(is_balanced(report), false);
}

TEST(Ledger, EachKindOfLossIsALoss) {
  StatsReport report;
  EXPECT_FALSE(has_losses(report));
  const auto with = [&](auto change) {
    StatsReport changed = report;
    change(changed);
    return has_losses(changed);
  };
  EXPECT_TRUE(with([](auto& r) { r.counters.ring_lost[NIDS_RECORD_PACKET].packets = 1; }));
  EXPECT_TRUE(with([](auto& r) { r.counters.copy_failed.packets = 1; }));
  EXPECT_TRUE(with([](auto& r) { r.counters.unaccounted.packets = 1; }));
  EXPECT_TRUE(with([](auto& r) { r.agent_counters.not_kept_by_error.packets = 1; }));
  EXPECT_TRUE(with([](auto& r) { r.agent_counters.eve_lost = 1; }));
  EXPECT_TRUE(with([](auto& r) { r.agent_counters.invalid_records = 1; }));
}

TEST(Ledger, RecordsLeftInTheRingAreLostOnceNobodyTakesThem) {
  StatsReport report;
  report.counters.ring_offered = {3, 300};
  report.agent_counters.consumed = {1, 100};
  EXPECT_FALSE(has_losses(report)) << "an agent may still take them";
  report.is_final = true;
  EXPECT_TRUE(has_losses(report));
  EXPECT_NE(summary_text(report).find("lost    2 records unread\n"), std::string::npos)
      << summary_text(report);
}

StatsReport classes_report() {
  StatsReport report = balanced_report();
  report.classes.resize(3);
  report.classes[1] = {.name = "ssh", .interest = NIDS_INTEREST_INSPECT};
  report.classes[2] = {.name = "telnet", .interest = NIDS_INTEREST_COUNT};
  report.counters.classes[1] = {.flows = 1, .packets = 1, .bytes = 60, .lost = {}};
  report.counters.classes[2] = {.flows = 2, .packets = 3, .bytes = 180, .lost = {}};
  return report;
}

TEST(Summary, TellsFlaggedFromCounted) {
  const StatsReport report = classes_report();
  for (const std::string& text : {summary_text(report), stats_text(report)}) {
    const auto flagged = text.find("flagged\n  ssh ");
    const auto counted = text.find("\ncounted\n  telnet ");
    EXPECT_NE(flagged, std::string::npos) << text;
    EXPECT_NE(counted, std::string::npos) << text;
    EXPECT_LT(flagged, counted);
  }
}

TEST(Summary, OneIsSingularAndColumnsStandBelowEachOther) {
  const std::string text = summary_text(classes_report());
  EXPECT_NE(text.find("1 flow             1 packet                60 bytes\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("2 flows            3 packets              180 bytes\n"), std::string::npos);
}

TEST(Summary, FindingsStandByThemselves) {
  StatsReport report = classes_report();
  EXPECT_EQ(summary_text(report).find("findings"), std::string::npos);
  report.counters.findings[NIDS_FINDING_XMAS] = 6;
  report.counters.findings[NIDS_FINDING_NULL] = 3;
  EXPECT_NE(summary_text(report).find("\nfindings\n  xmas 6, null 3\n"), std::string::npos);
}

TEST(Summary, SaysWhatWasLeftOut) {
  StatsReport report = classes_report();
  EXPECT_EQ(summary_text(report).find("out of the analysis"), std::string::npos);
  report.agent_counters.not_analysed = {2, 120};
  EXPECT_NE(summary_text(report).find("left    2 packets, 120 bytes out of the analysis"),
            std::string::npos);
  EXPECT_EQ(stats_json(report).at("retained").at("not_analysed"), 2);
}

TEST(Summary, SaysWhatWasDeletedOfThatWhichWasKept) {
  StatsReport report = classes_report();
  report.agent_counters.retained = {3899, 400'000};
  EXPECT_EQ(summary_text(report).find("deleted"), std::string::npos);
  report.agent_counters.deleted_by_policy = {0, 4096};  // a file of an earlier run
  EXPECT_NE(
      summary_text(report).find("\ndeleted 4096 bytes by the budget, earlier runs' included\n"),
      std::string::npos);
  report.agent_counters.deleted_by_policy = {3186, 300'000};
  const std::string text = summary_text(report);
  EXPECT_NE(text.find("\nkept    3899 packets, 400000 bytes; "), std::string::npos) << text;
  EXPECT_NE(text.find("\ndeleted 3186 packets, 300000 bytes by the budget, "), std::string::npos);
}

TEST(Summary, SaysThatRetentionIsOff) {
  StatsReport report = classes_report();
  EXPECT_NE(summary_text(report).find("kept    0 packets"), std::string::npos);
  report.keeps_packets = false;
  EXPECT_NE(summary_text(report).find("kept    nothing; retention off\n"), std::string::npos);
}

TEST(StatsJson, HasTheKeysThatScriptsReadAndAddsUp) {
  StatsReport report = balanced_report();
  report.interface = "v0";
  report.counters.parse[NIDS_PARSE_OK] = 14;
  report.counters.parse[NIDS_PARSE_TRUNCATED] = 1;
  const auto json = stats_json(report);

  for (const char* key : {"interface", "mode", "attached_since", "agent", "ingress", "egress",
                          "parse", "network", "transport", "classes", "findings", "verdict",
                          "flow_table", "ring", "retained", "alerts", "ledger"})
    EXPECT_TRUE(json.contains(key)) << key;
  EXPECT_EQ(json.at("parse").at("ok"), 14);
  EXPECT_EQ(json.at("ledger").at("seen"), 15);
  EXPECT_EQ(json.at("ledger").at("balanced"), true);
  EXPECT_EQ(json.at("verdict").at("pass"), 15);
}

}  // namespace
}  // namespace nids
