// SPDX-License-Identifier: Apache-2.0
// The figures that the first pass is to reach, and what was measured of each. Judges; exits and
// prints nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "series.hpp"

namespace nids::bench {

struct Budget {
  std::string name;
  std::string unit;
  double limit = 0;
  std::optional<double> figure;  // nothing: not measured, or not validly
  bool met() const { return figure && *figure <= limit; }
};

// Every budget, in the order of the design, whatever was measured.
std::vector<Budget> check_budgets(const std::vector<CaseResult>& cases);

}  // namespace nids::bench
