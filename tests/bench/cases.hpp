// SPDX-License-Identifier: Apache-2.0
// The cases: which packets, through which programs over which sizes of table, and what the counters
// must say afterwards. Prints nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "nids/result.hpp"
#include "series.hpp"

namespace nids::bench {

struct Settings {
  std::uint32_t runs = 7;
  bool is_quick = false;
  std::string only{};     // cases whose name begins so
  int cpu = 0;            // of the programs
  int consumer_cpu = -1;  // -1: there is no other CPU
};

// In their order, each given to `report` as soon as it is measured.
[[nodiscard]] Result<void> run_cases(const Settings& settings,
                                     const std::function<void(CaseResult)>& report);

}  // namespace nids::bench
