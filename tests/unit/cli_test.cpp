// SPDX-License-Identifier: Apache-2.0
// Subcommands that need no kernel, as functions of their streams.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/command.hpp"
#include "cli/report.hpp"

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

TEST_F(Cli, DetachWithoutAnInterfaceIsAUsageError) { EXPECT_EQ(run_detach({}, io), kUsage); }

StatsReport balanced_report() {
  StatsReport report;
  report.counters.seen[NIDS_INGRESS] = {10, 1000};
  report.counters.seen[NIDS_EGRESS] = {5, 500};
  report.counters.live = {11, 1100};
  report.counters.exported = {2, 200};
  report.counters.unaccounted = {1, 100};
  report.counters.no_flow = {1, 100};
  return report;
}

TEST(Ledger, BalancesInPacketsAndInBytes) {
  StatsReport report = balanced_report();
  EXPECT_TRUE(is_balanced(report));
  report.counters.live.bytes += 1;
  EXPECT_FALSE(is_balanced(report));
  report = balanced_report();
  report.counters.seen[NIDS_EGRESS].packets += 1;
  EXPECT_FALSE(is_balanced(report));
}

TEST(Ledger, DoesNotBalanceWhereTheSlotsHoldSomethingElse) {
  StatsReport report = balanced_report();
  report.scan_agrees = false;
  EXPECT_FALSE(is_balanced(report));
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
