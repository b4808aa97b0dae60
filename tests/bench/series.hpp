// SPDX-License-Identifier: Apache-2.0
// What was measured of one case: samples a program, and what speaks against believing them. Owns
// numbers; runs and prints nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "counted.hpp"

namespace nids::bench {

inline constexpr std::string_view kOurs = "ours";
inline constexpr std::string_view kHash = "hash";
inline constexpr std::string_view kLru = "lru";
inline constexpr std::string_view kPass = "pass";
inline constexpr std::string_view kParse = "parse";          // parse and its counters, no flows
inline constexpr std::string_view kLine = "line";            // one cache line of as many, at random
inline constexpr std::string_view kUnflagged = "unflagged";  // ours, where no record goes up

struct Series {
  std::string name;
  std::vector<double> samples;  // ns a packet
  Counted counted;              // over all samples
};

struct Summary {
  double median = 0;
  double low = 0;  // quartiles: half of the samples lies between
  double high = 0;
  double min = 0;
  double max = 0;
};

Summary summarise(std::vector<double> samples);

struct CaseResult {
  std::string id;
  std::string title;
  std::vector<Series> series;
  std::vector<std::string> notes;
  std::vector<std::string> problems;  // not empty: the figures are not to be believed

  const Series* find(std::string_view name) const;
  // `name` less `base`, sample by sample, so that what drifted between them falls out.
  std::optional<Summary> net(std::string_view name, std::string_view base = kPass) const;
};

}  // namespace nids::bench
