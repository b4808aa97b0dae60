// SPDX-License-Identifier: Apache-2.0
// Results for people, a line a case as soon as it is there, and for programs, as one JSON document.
// Measures and judges nothing.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "budget.hpp"
#include "cases.hpp"
#include "series.hpp"

namespace nids::bench {

void print_heading(std::ostream& out, const Settings& settings);
void print_case(std::ostream& out, const CaseResult& result);
void print_curve(std::ostream& out, const std::vector<CaseResult>& cases);
void print_budgets(std::ostream& out, const std::vector<Budget>& budgets);

std::string json_of(const Settings& settings, const std::vector<CaseResult>& cases,
                    const std::vector<Budget>& budgets);

// The points of the growth curve among the cases, by their number of flows.
struct CurvePoint {
  std::uint32_t flows = 0;
  const CaseResult* result = nullptr;
};
std::vector<CurvePoint> curve_of(const std::vector<CaseResult>& cases);

}  // namespace nids::bench
