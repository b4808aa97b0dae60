// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <nlohmann/json.hpp>
#include <ostream>
#include <thread>

#include "cli/command.hpp"
#include "cli/readings.hpp"
#include "log/eve_json.hpp"
#include "report/metrics.hpp"

namespace nids {
namespace {

void print_text(const std::vector<StatsReport>& reports, Io& io) {
  if (reports.empty())
    io.out << "nothing is attached in this network namespace; sudo nids-xdp attach IFACE\n";
  bool is_first = true;
  for (const StatsReport& report : reports) {
    if (!std::exchange(is_first, false)) io.out << '\n';
    io.out << stats_text(report);
  }
}

void print_json(const std::vector<StatsReport>& reports, bool is_line, Io& io) {
  using Json = nlohmann::ordered_json;
  auto json = Json::array();
  for (const StatsReport& report : reports) json.push_back(stats_json(report));
  io.out << json.dump(is_line ? -1 : 2, ' ', false, Json::error_handler_t::replace) << '\n';
}

Exit print_once(const StatsArguments& arguments, Io& io) {
  auto readings = read_attached(arguments.interface, io.paths);
  if (!readings) return fail(readings.error(), io);
  std::vector<StatsReport> reports;
  bool is_balanced_all = true;
  for (const Reading& reading : *readings) {
    reports.push_back(report_of(reading));
    is_balanced_all = is_balanced_all && is_balanced(reports.back()).value_or(true);
  }
  if (arguments.format == "json")
    print_json(reports, arguments.watch_s.has_value(), io);
  else if (arguments.format == "prometheus")
    io.out << metrics_text(reports);
  else
    print_text(reports, io);
  io.out.flush();
  return is_balanced_all ? kOk : kDegraded;
}

}  // namespace

std::string watch_header(std::chrono::nanoseconds since_epoch, bool is_first) {
  const WallTime time{static_cast<std::uint64_t>(since_epoch.count())};
  return (is_first ? "" : "\n") + eve_timestamp(time) + "\n";
}

Exit run_stats(const StatsArguments& arguments, Io& io) {
  if (!arguments.watch_s) return print_once(arguments, io);
  if (arguments.format == "prometheus")
    return usage("--watch: not with --format prometheus, which is of one moment", io, "stats");
  constexpr const char* kClearScreen = "\x1b[H\x1b[2J";
  for (bool is_first = true;; is_first = false) {
    if (arguments.format == "text")
      io.out << (io.out_is_terminal
                     ? kClearScreen
                     : watch_header(std::chrono::system_clock::now().time_since_epoch(), is_first));
    if (const Exit code = print_once(arguments, io); code == kFailed || !io.out) return code;
    std::this_thread::sleep_for(std::chrono::duration<double>(*arguments.watch_s));
  }
}

}  // namespace nids
