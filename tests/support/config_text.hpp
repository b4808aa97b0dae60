// SPDX-License-Identifier: Apache-2.0
// A configuration as a test writes it, and its problems as a user reads them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

#include "config/config.hpp"

namespace nids {

inline std::string text_of(const ConfigProblem& p) {
  return std::to_string(p.line) + ":" + std::to_string(p.column) + ": " + p.text;
}

inline std::string texts_of(const ConfigOutcome& outcome) {
  std::string all;
  for (const auto& problem : outcome.problems) all += text_of(problem) + "\n";
  return all;
}

inline bool holds(std::string_view text, std::string_view part) {
  return text.find(part) != text.npos;
}

inline Config accepted(std::string_view toml) {
  const auto outcome = parse_config(toml);
  EXPECT_EQ(texts_of(outcome), "") << toml;
  return outcome.config;
}

// The one problem of the file, or what there is instead.
inline std::string problem_of(std::string_view toml) {
  const auto outcome = parse_config(toml);
  if (outcome.problems.size() == 1) return text_of(outcome.problems[0]);
  return std::to_string(outcome.problems.size()) + " problems\n" + texts_of(outcome);
}

inline const ProtocolClass& class_named(const Config& config, std::string_view name) {
  const auto found = std::find_if(config.classes.begin(), config.classes.end(),
                                  [&](const auto& c) { return c.name == name; });
  if (found == config.classes.end()) std::abort();
  return *found;
}

}  // namespace nids
