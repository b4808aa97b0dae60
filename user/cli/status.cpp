// SPDX-License-Identifier: Apache-2.0
#include <spdlog/fmt/fmt.h>

#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>
#include <ostream>
#include <span>
#include <vector>

#include "agent/link_notices.hpp"
#include "agent/ring_loss.hpp"
#include "cli/command.hpp"
#include "cli/ends_text.hpp"
#include "cli/readings.hpp"
#include "cli/wrapped.hpp"
#include "config/config.hpp"
#include "decode/printable.hpp"
#include "kernel/netlink.hpp"
#include "kernel/tc.hpp"
#include "log/eve_json.hpp"

namespace nids {
namespace {

struct Status {
  StatsReport report;
  std::string reason;
  bool egress = false;
  std::uint64_t agent_pid = 0;
  std::uint64_t table_bytes = 0;
  std::vector<std::string> degraded;
};

// All links of this network namespace, and those that are watched.
struct Surroundings {
  std::vector<LinkFacts> links;
  std::vector<int> watched;
};

// Empty for readers of pins, which don't know the network namespace of an interface.
Surroundings surroundings_of(std::span<const Reading> readings) {
  Surroundings surroundings;
  for (const Reading& reading : readings)
    if (reading.attachment) surroundings.watched.push_back(reading.attachment->ifindex);
  if (surroundings.watched.empty()) return surroundings;
  if (auto links = list_links()) surroundings.links = std::move(*links);
  return surroundings;
}

constexpr std::uint64_t kSilent_s = 3;

// Of an agent that goes round, four times a second; 0 where none has begun to.
std::uint64_t silence_s(const nids_agent_counters& agent) {
  const std::uint64_t now_ns = monotonic_now().ns;
  return agent.heartbeat_ns == 0 || now_ns < agent.heartbeat_ns
             ? 0
             : (now_ns - agent.heartbeat_ns) / 1'000'000'000;
}

Status status_of(const Reading& reading, const Surroundings& surroundings) {
  const nids_info& info = reading.kernel.info;
  Status status{.report = report_of(reading), .reason = {}};
  status.reason.assign(info.reason, strnlen(info.reason, sizeof(info.reason)));
  status.egress = reading.attachment ? reading.attachment->egress_id != 0
                                     : (info.flags & NIDS_INFO_EGRESS) != 0;
  status.agent_pid = reading.agent_pid.value_or(reading.kernel.agent.pid);
  status.table_bytes =
      std::uint64_t{info.cpus} * (std::uint64_t{info.sets4_per_cpu} * sizeof(nids_flow4_set) +
                                  std::uint64_t{info.sets6_per_cpu} * sizeof(nids_flow6_set)) +
      std::uint64_t{info.cells} * sizeof(nids_flow_cell);

  const auto degraded = [&](bool is_so, const char* why) {
    if (is_so) status.degraded.emplace_back(why);
  };
  const std::uint64_t flags = reading.kernel.agent.degraded;
  const std::uint64_t confinement = reading.kernel.agent.confinement;
  degraded(info.mode == NIDS_MODE_SKB && !status.reason.starts_with("asked"),
           "skb mode: native XDP was refused");
  degraded(reading.attachment && reading.attachment->ingress_id == 0,
           info.mode == NIDS_MODE_TC ? "the ingress filter is gone" : "the XDP program is gone");
  degraded((info.flags & NIDS_INFO_EGRESS) != 0 && !status.egress, "the egress filter is gone");
  const auto is_late = [&](std::uint32_t id, TcHook hook) {
    return id != 0 && !filters_before_ours(reading.attachment->ifindex, hook).empty();
  };
  if (reading.attachment) {
    const bool is_tc = info.mode == NIDS_MODE_TC;
    degraded(is_late(is_tc ? reading.attachment->ingress_id : 0, TcHook::kIngress) ||
                 is_late(reading.attachment->egress_id, TcHook::kEgress),
             "packets meet other filters first; what those decide is not seen");
    for (const Notice& notice :
         link_notices(*reading.attachment, surroundings.links, surroundings.watched))
      status.degraded.push_back(notice.what + "; " + notice.remedy);
  }
  degraded(!reading.agent, "no agent runs: packets are counted, not analysed");
  if (reading.agent) {
    if (const std::uint64_t silent_s = silence_s(reading.kernel.agent); silent_s >= kSilent_s)
      status.degraded.push_back("the agent has not answered for " + std::to_string(silent_s) +
                                " s: packets are counted, not analysed");
    degraded((confinement & NIDS_CONFINED_FILES) == 0 && confinement != 0,
             "the kernel has no Landlock: an agent that was taken over could open files outside "
             "the packet directory");
  }
  degraded(!reading.agent_pid,
           "whether the agent runs can't be told: it is in another PID namespace");
  degraded(is_ring_loss_recent(reading.kernel.counters, reading.kernel.agent, monotonic_now().ns),
           "the ring was full and lost records, in the last minute or since the agent looked last");
  degraded((flags & NIDS_DEGRADED_EVE) != 0, "alerts can't be written to the EVE log");
  degraded((flags & NIDS_DEGRADED_EVE_FILE) != 0,
           "the EVE log can't be rotated or opened again; the old file stays in use");
  degraded((flags & NIDS_DEGRADED_RETAIN) != 0, "packets can't be kept");
  degraded((flags & NIDS_DEGRADED_INDEX) != 0,
           "packets are kept without an index; the log says why");
  degraded((flags & NIDS_DEGRADED_IPFIX) != 0, "the IPFIX collector can't be reached");
  degraded(!is_balanced(status.report).value_or(true), "the ledger does not balance");
  return status;
}

// Null: no packets were ever kept, or asked to be.
nlohmann::ordered_json store_json(const nids_agent_counters& a) {
  if (a.store_budget_bytes == 0) return nullptr;
  nlohmann::ordered_json json{{"budget_bytes", a.store_budget_bytes},
                              {"used_bytes", a.store_bytes},
                              {"index_bytes", a.store_index_bytes}};
  if (a.store_oldest_wall_ns != 0) json["oldest"] = eve_timestamp(WallTime{a.store_oldest_wall_ns});
  return json;
}

std::string about(std::uint64_t bytes) {
  constexpr std::uint64_t kKiB = 1 << 10, kMiB = 1 << 20;
  const std::uint64_t unit = bytes < 10 * kMiB ? kKiB : kMiB;
  return size_text((bytes + unit - 1) / unit * unit);
}

std::string store_text(const nids_agent_counters& a) {
  if (a.store_budget_bytes == 0) return {};
  std::string text = fmt::format("  packets  {} of {} used, index {}\n", about(a.store_bytes),
                                 size_text(a.store_budget_bytes), about(a.store_index_bytes));
  if (a.store_oldest_wall_ns != 0)
    text += fmt::format("  oldest   {} UTC\n", moment_text(WallTime{a.store_oldest_wall_ns}));
  return text;
}

nlohmann::ordered_json confined_json(const nids_agent_counters& a) {
  return {{"system_calls", (a.confinement & NIDS_CONFINED_CALLS) != 0},
          {"files", (a.confinement & NIDS_CONFINED_FILES) != 0}};
}

nlohmann::ordered_json status_json(const Status& status) {
  return {{"interface", status.report.interface},
          {"mode", status.report.mode},
          {"reason", status.reason},
          {"egress", status.egress},
          {"attached_since", eve_timestamp(WallTime{status.report.since_ns})},
          {"agent", status.report.agent},
          {"agent_pid", status.agent_pid},
          {"agent_restarts", status.report.agent_counters.restarts},
          {"agent_confined", confined_json(status.report.agent_counters)},
          {"budgets",
           {{"flow_slots", status.report.slots},
            {"flow_table_bytes", status.table_bytes},
            {"packets", store_json(status.report.agent_counters)}}},
          {"degraded", status.degraded}};
}

std::string restarts_text(std::uint64_t restarts) {
  return fmt::format(", started again {}",
                     restarts == 1 ? "once" : fmt::format("{} times", restarts));
}

std::string status_text(const Status& status, std::size_t width) {
  constexpr std::size_t kTextColumn = 11;
  std::string text = fmt::format("{}  {} mode, egress {}\n  reason   {}\n  since    {} UTC\n",
                                 printable(status.report.interface), status.report.mode,
                                 status.egress ? "watched" : "not watched",
                                 wrapped(printable(status.reason), kTextColumn, width),
                                 moment_text(WallTime{status.report.since_ns}));
  const std::uint64_t restarts = status.report.agent_counters.restarts;
  text += status.report.agent ? fmt::format("  agent    process {}{}\n", status.agent_pid,
                                            restarts == 0 ? "" : restarts_text(restarts))
                              : std::string("  agent    not running\n");
  text += fmt::format("  budget   {} flow slots, {}\n", status.report.slots,
                      size_text(status.table_bytes));
  text += store_text(status.report.agent_counters);
  for (const std::string& why : status.degraded)
    text += "  degraded " + wrapped(printable(why, 4096), kTextColumn, width) + "\n";
  return text;
}

}  // namespace

Exit run_status(bool json, Io& io) {
  auto readings = read_attached({}, io.paths);
  if (!readings) return fail(readings.error(), io);
  const Surroundings surroundings = surroundings_of(*readings);
  auto array = nlohmann::ordered_json::array();
  for (const Reading& reading : *readings) {
    const Status status = status_of(reading, surroundings);
    if (json)
      array.push_back(status_json(status));
    else
      io.out << status_text(status, io.width);
  }
  if (json)
    io.out << array.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
  else if (readings->empty())
    io.out << "nothing is attached in this network namespace\n";
  return kOk;
}

}  // namespace nids
