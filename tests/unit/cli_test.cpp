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

}  // namespace
}  // namespace nids
