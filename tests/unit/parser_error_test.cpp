// SPDX-License-Identifier: Apache-2.0
#include "cli/parser_error.hpp"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <vector>

namespace nids {
namespace {

// What the parser of `nids-xdp` says of these arguments.
ParserComplaint complaint_about(std::vector<std::string> arguments) {
  CLI::App app{"", "nids-xdp"};
  app.require_subcommand(1);
  app.fallthrough();
  bool json = false;
  std::string file;
  app.add_subcommand("status", "")->add_flag("--json", json);
  app.add_subcommand("stats", "")->add_flag("--json", json);
  app.add_subcommand("replay", "")->add_option("FILE", file)->required();
  auto* config = app.add_subcommand("config", "");
  config->require_subcommand(1);
  config->add_subcommand("check", "")->add_option("FILE", file);
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
  try {
    app.parse(arguments);
  } catch (const CLI::ParseError& error) {
    return parser_complaint(app, error);
  }
  return {"nothing is wrong", ""};
}

TEST(Parser, NamesAnUnknownCommandAndANearOne) {
  EXPECT_EQ(complaint_about({"statuz"}).text, "unknown command statuz; did you mean status?");
  EXPECT_EQ(complaint_about({"statuz"}).command, "");
  EXPECT_EQ(complaint_about({"zzz"}).text,
            "unknown command zzz; there are status, stats, replay, config");
  EXPECT_EQ(complaint_about({"config", "chek", "f"}).text,
            "unknown command config chek; did you mean check?");
  EXPECT_EQ(complaint_about({"config", "chek"}).command, "config");
  EXPECT_EQ(complaint_about({"st\x1b[2J"}).text.find('\x1b'), std::string::npos);
}

TEST(Parser, SaysThatACommandIsMissing) {
  EXPECT_EQ(complaint_about({}).text,
            "a command is missing; there are status, stats, replay, config");
  EXPECT_EQ(complaint_about({"config"}).text, "config: a command is missing; there are check");
}

TEST(Parser, NamesUnexpectedArgumentsInTheirOrder) {
  EXPECT_EQ(complaint_about({"status", "x", "y"}).text, "status: unexpected arguments: x y");
  EXPECT_EQ(complaint_about({"status", "--jsn"}).text,
            "status: unexpected argument: --jsn; did you mean --json?");
  EXPECT_EQ(complaint_about({"config", "check", "f", "--nope"}).command, "config check");
  EXPECT_EQ(complaint_about({"status", "--netns", "x"}).text,
            "status: unexpected arguments: --netns x; for another network namespace: ip netns exec "
            "NAME nids-xdp status");
}

TEST(Parser, SaysWhichCommandLacksWhat) {
  EXPECT_EQ(complaint_about({"replay"}).text, "replay: FILE is required");
  EXPECT_EQ(complaint_about({"replay", "--nope"}).text, "replay: unexpected argument: --nope");
}

}  // namespace
}  // namespace nids
