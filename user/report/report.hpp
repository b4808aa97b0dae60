// SPDX-License-Identifier: Apache-2.0
// The counters of one interface, or one replay, for scripts and for people.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "kernel/maps.hpp"

namespace nids {

struct StatsReport {
  std::string interface;
  std::string mode;
  std::uint64_t since_ns = 0;  // wall time
  std::uint64_t now_ns = 0;    // CLOCK_MONOTONIC of the reading; 0: not known
  bool agent = false;
  nids_counters counters{};
  nids_agent_counters agent_counters{};
  std::vector<nids_class> classes;
  std::uint64_t slots = 0;
  bool scan_agrees = true;  // the slots, added up, are counters.live
  // What the rings held at the moment of the counters; nothing where that can't be told.
  std::optional<nids_sum> pending{};
  bool is_final = false;      // no agent takes what is in the ring any more
  bool keeps_packets = true;  // retention is on, as far as is known
};

// Makes a report from the maps of an attached program.
StatsReport report_of(const KernelReading& reading);

// Whether seen = live + exported + unaccounted + no_flow, and what was offered to the rings =
// consumed + lost + pending, each in packets or records and in bytes. Nothing where what is pending
// can't be told, and nothing else is wrong.
std::optional<bool> is_balanced(const StatsReport& report);
// Whether anything was lost by overload or error, or left in the ring at the end: exit code 4.
bool has_losses(const StatsReport& report);

// The shape of CLI.md.
nlohmann::ordered_json stats_json(const StatsReport& report);
std::string stats_text(const StatsReport& report);
// Seen, flagged and counted by class, kept, lost: what `attach` and `replay` end with.
std::string summary_text(const StatsReport& report);

}  // namespace nids
