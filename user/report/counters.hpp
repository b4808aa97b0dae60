// SPDX-License-Identifier: Apache-2.0
// The list of all counters of an interface and of its agent: the name, the meaning, the unit and
// the value of each. JSON and metrics are made from this list. Formats nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "report/report.hpp"

namespace nids {

enum class Kind : std::uint8_t { kCounter, kGauge };  // of a metric: a gauge may fall

// The unit in a metric's name. Counter::read returns nanoseconds for kSeconds.
enum class Unit : std::uint8_t { kNone, kPackets, kBytes, kRecords, kFlows, kSeconds };

struct Value {
  std::uint64_t number = 0;
  std::string label{};  // the value of Counter::label; empty: none
};
using Values = std::vector<Value>;  // empty: not known, or nothing to count

struct Counter {
  // The key in `stats --json`, with dots between levels; "*" stands for the label. Empty: no key.
  std::string_view json{};
  // The metric's name without prefix, unit and "_total". Empty: other metrics add up to the value.
  std::string_view metric{};
  Unit unit = Unit::kNone;
  Kind kind = Kind::kCounter;
  std::string_view label{};  // the label's name; empty: one value without a label
  std::string_view help;     // one sentence for people
  std::function<Values(const StatsReport&)> read;
};

// In the order of the JSON.
const std::vector<Counter>& counters();

// "nids_xdp_ring_offered_bytes_total"
std::string metric_name(const Counter& counter);

}  // namespace nids
