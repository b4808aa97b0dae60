// SPDX-License-Identifier: Apache-2.0
// Whether a case measured what it says: by the programs' own counters, never by the times.
#pragma once

#include <cstdint>

#include "series.hpp"

namespace nids::bench {

// Each adds notes and problems; `packets` went through each program.
void judge_known_flows(CaseResult& result, std::uint64_t packets);
void judge_new_flows(CaseResult& result, std::uint64_t packets);
void judge_records(CaseResult& result, std::uint64_t packets);

}  // namespace nids::bench
