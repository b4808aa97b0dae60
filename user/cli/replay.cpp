// SPDX-License-Identifier: Apache-2.0
#include "agent/replay.hpp"

#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/command.hpp"
#include "cli/ending.hpp"
#include "cli/filter_expression.hpp"
#include "cli/selection.hpp"
#include "decode/printable.hpp"
#include "log/alert_line.hpp"
#include "report/report.hpp"

namespace nids {
namespace {

StatsReport report_of(const ReplayOutcome& outcome, const std::string& file, bool keeps_packets) {
  return {.interface = file,
          .mode = "replay",
          .since_ns = 0,
          .agent = true,
          .counters = outcome.counters,
          .agent_counters = outcome.agent,
          .classes = outcome.classes,
          .slots = outcome.slots,
          .scan_agrees = outcome.scan_agrees,
          .pending = nids_sum{},  // each record is taken as it comes
          .is_final = true,
          .keeps_packets = keeps_packets};
}

nlohmann::ordered_json replay_json(const ReplayOutcome& outcome, const StatsReport& report) {
  const auto* by = outcome.agent.alerts_by_severity;
  return {{"file", report.interface},         {"packets", outcome.packets},
          {"bytes", outcome.bytes},           {"not_taken", outcome.not_taken},
          {"duration_s", outcome.duration_s}, {"wall_s", outcome.wall_s},
          {"alerts", by[1] + by[2] + by[3]},  {"flows", outcome.agent.flow_records},
          {"stats", stats_json(report)}};
}

Error not_taken(std::uint64_t packets) {
  return {.action = "run " + std::to_string(packets) + (packets == 1 ? " packet" : " packets") +
                    " through the program in the kernel",
          .reason = "the kernel takes no frames as long as these",
          .hint = "no counter has them; a replay without --kernel takes them all"};
}

}  // namespace

Exit run_replay(const ReplayArguments& arguments, Io& io) {
  auto selection = selected_counts(arguments.selection);
  if (selection) selection->filter_text = arguments.selection.filter.value_or("");
  if (!selection) return usage(selection.error().message(), io, "replay");
  auto config = effective_config(arguments.config, io);
  if (!config) return kFailed;
  // With EVE on standard output nothing else may stand there.
  const auto eve = arguments.eve == "off" ? std::nullopt : arguments.eve;
  std::ostream& out = eve == "-" ? io.err : io.out;
  const bool wants_packets =
      arguments.retain && *arguments.retain != "off" && !keeps_nothing(*selection);
  ReplayRequest request{.file = arguments.file,
                        .config = std::move(*config),
                        .eve = eve,
                        .retain = wants_packets ? arguments.retain : std::nullopt,
                        .filter = {},
                        .selection = std::move(*selection),
                        .by_kernel = arguments.kernel,
                        .confine = io.confine};
  if (!arguments.json)
    request.on_alert = [&](const Alert& alert) {
      out << alert_line(alert, {.colour = io.colour, .with_date = true, .width = io.width}) << '\n';
    };
  request.warning = [&](const std::string& text) {
    io.err << "nids-xdp: " << printable_lines(text) << '\n';
  };
  // Names are read before privileges are given up, and refused before the file is opened.
  const Services services = arguments.selection.filter ? Services::load() : Services::parse("");
  const std::string expression = arguments.selection.filter.value_or("");
  if (auto named = numeric_expression(expression, services); !named)
    return usage(named.error().message(), io, "replay");
  bool is_filter_wrong = false;
  if (arguments.selection.filter)
    request.filter = [&](pcap* file) {
      auto filter = compile_packet_filter(expression, services, file);
      is_filter_wrong = !filter;
      return filter;
    };
  end_at_signals();
  request.is_to_end = is_to_end;
  const bool keeps_packets = request.retain.has_value();
  auto outcome = replay(std::move(request));
  if (is_filter_wrong) return usage(outcome.error().message(), io, "replay");
  if (!outcome) return fail(outcome.error(), io);

  const StatsReport report = report_of(*outcome, printable(arguments.file, 4096), keeps_packets);
  if (arguments.json)
    out << replay_json(*outcome, report)
               .dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
        << '\n';
  else
    out << summary_text(report);
  if (outcome->damage) fail(*outcome->damage, io);
  if (outcome->not_taken != 0) fail(not_taken(outcome->not_taken), io);
  const bool is_doubtful = outcome->damage || outcome->not_taken != 0 ||
                           !is_balanced(report).value_or(true) || has_losses(report);
  return is_doubtful ? kDegraded : kOk;
}

}  // namespace nids
