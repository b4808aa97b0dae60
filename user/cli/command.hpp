// SPDX-License-Identifier: Apache-2.0
// The subcommands as functions of their options and streams, so that a test needs no process.
// Parses no arguments.
#pragma once

#include <chrono>
#include <cstddef>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "agent/confinement.hpp"
#include "agent/paths.hpp"
#include "config/config.hpp"
#include "kernel/attachment.hpp"
#include "nids/result.hpp"

namespace nids {

enum Exit : int { kOk = 0, kFailed = 1, kUsage = 2, kProblemsFound = 3, kDegraded = 4 };

struct Io {
  std::ostream& out;
  std::ostream& err;
  bool out_is_terminal = false;
  std::size_t width = 0;  // of the terminal on standard output, in columns; 0: there is none
  bool colour = false;
  bool is_quiet = false;
  Paths paths;
  Confine confine{};  // null: the process stays as it is, as tests need
};

// What of that which comes up is analysed and kept.
struct SelectionArguments {
  std::optional<std::string> filter, count, store;
};

struct AttachArguments {
  std::vector<std::string> interfaces;
  std::string mode = "auto";
  bool no_egress = false;
  std::optional<std::string> netns, class_list, config, eve, retain, snap, duration, interim;
  SelectionArguments selection;
  bool daemon = false;
  bool keep_attached = false;
};
Exit run_attach(const AttachArguments&, Io&);

struct DetachArguments {
  std::vector<std::string> interfaces;
  bool all = false;
};
Exit run_detach(const DetachArguments&, Io&);

// Reloads the agent of the interface; without one, all agents of this network namespace.
Exit run_reload(const std::optional<std::string>& interface, Io&);

Exit run_status(bool json, Io&);

struct StatsArguments {
  std::optional<std::string> interface;
  std::string format = "text";  // or json, prometheus
  std::optional<double> watch_s;
};
Exit run_stats(const StatsArguments&, Io&);
// What stands before each time's counters where nothing clears the screen between them.
std::string watch_header(std::chrono::nanoseconds since_epoch, bool is_first);

struct FlowsArguments {
  std::optional<std::string> filter, class_list;
  std::uint64_t top = 0;  // 0: all
  std::string by = "bytes";
  bool json = false;
  bool follow = false;
  bool resolve = false;
  bool numeric = false;
};
Exit run_flows(const FlowsArguments&, Io&);

struct ReplayArguments {
  std::string file;
  bool kernel = false;
  bool json = false;
  std::optional<std::string> eve, retain, config;
  SelectionArguments selection;
};
Exit run_replay(const ReplayArguments&, Io&);

// Which of the kept packets are meant; at most one of alert, flow and filter.
struct KeptChoice {
  std::optional<std::uint64_t> alert;  // its id
  std::optional<std::string> flow;     // community_id
  std::optional<std::string> filter;   // pcap-filter expression
  std::optional<std::string> since, until;
  std::optional<std::string> retain;  // the directory
  std::optional<std::string> config;  // the file that says which, where `retain` does not
};
Exit run_pcap_list(const KeptChoice&, bool json, Io&);

struct PcapExportArguments {
  KeptChoice choice;
  std::string format = "pcapng";
  std::string output;  // "-" is standard output
};
Exit run_pcap_export(const PcapExportArguments&, Io&);
Exit run_pcap_reindex(const std::optional<std::string>& retain,
                      const std::optional<std::string>& config, Io&);

struct AlertsArguments {
  std::uint64_t id = 0;  // of the one to show
  bool json = false;
  int severity = 3;  // the lowest that is wanted
  std::optional<std::string> since, class_list, filter, retain, config;
};
Exit run_alerts_list(const AlertsArguments&, Io&);
Exit run_alerts_show(const AlertsArguments&, Io&);
Exit run_alerts_follow(const AlertsArguments&, Io&);

Exit run_pcap_summary(const std::string& file, const std::optional<std::string>& config, Io&);
Exit run_classes(bool json, const std::optional<std::string>& config, Io&);
Exit run_config_check(const std::optional<std::string>& file, Io&);
Exit run_config_dump(const std::optional<std::string>& file, Io&);
// Returns only if the laboratory can't be started.
Exit run_lab(const std::vector<std::string>& arguments, Io&);

// A message that may quote what somebody typed or sent: each of its lines made safe to print.
std::string printable_lines(const std::string& text);

// "nids-xdp: cannot ..." on the error stream.
Exit fail(const Error& error, Io&);
// The hint leads to the help of `command`; empty: to that of all commands.
Exit usage(const std::string& text, Io&, const std::string& command = {});
// The error with this hint, where it has none of its own.
Error with_hint(Error error, const std::string& hint);

// The absolute path of the file that effective_config() reads; none if it returns the defaults.
std::optional<std::string> file_in_force(const std::optional<std::string>& file, const Io&);
// Reads the given file, or the default file if it exists; otherwise returns the defaults. If the
// file has problems, prints each with line and column, prints `nothing`, and returns nothing.
std::optional<Config> effective_config(const std::optional<std::string>& file, Io&,
                                       const char* nothing = "nothing was started");

}  // namespace nids
