// SPDX-License-Identifier: Apache-2.0
// The parts of counters(), and the helpers that they share. Only counters*.cpp include it.
#pragma once

#include <array>
#include <cstddef>

#include "report/counters.hpp"

namespace nids {

std::vector<Counter> packet_counters();
std::vector<Counter> flow_counters();
std::vector<Counter> ring_counters();
std::vector<Counter> output_counters();
std::vector<Counter> ledger_counters();
std::vector<Counter> agent_counters();

using Read = std::function<Values(const StatsReport&)>;

// One value without a label.
inline Read one(std::function<std::uint64_t(const StatsReport&)> read) {
  return [read = std::move(read)](const StatsReport& report) { return Values{{read(report)}}; };
}
// Fields of the kernel's and of the agent's counters.
inline Read kernel(__u64 nids_counters::*field) {
  return one([=](const StatsReport& report) { return report.counters.*field; });
}
inline Read kernel(nids_sum nids_counters::*field, __u64 nids_sum::*part) {
  return one([=](const StatsReport& report) { return report.counters.*field.*part; });
}
inline Read agent(__u64 nids_agent_counters::*field) {
  return one([=](const StatsReport& report) { return report.agent_counters.*field; });
}
inline Read agent(nids_sum nids_agent_counters::*field, __u64 nids_sum::*part) {
  return one([=](const StatsReport& report) { return report.agent_counters.*field.*part; });
}

// An array of the kernel's counters, labelled by its keys.
template <std::size_t N>
Read kernel(__u64 (nids_counters::*numbers)[N], const std::array<const char*, N>& keys) {
  return [numbers, &keys](const StatsReport& report) {
    Values values;
    for (std::size_t i = 0; i < N; ++i) values.push_back({(report.counters.*numbers)[i], keys[i]});
    return values;
  };
}

inline constexpr auto kPacketsOf = &nids_sum::packets;
inline constexpr auto kBytesOf = &nids_sum::bytes;

}  // namespace nids
