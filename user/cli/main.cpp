// SPDX-License-Identifier: Apache-2.0
// The command line as CLI11 knows it: every option is here, and nothing is done here.
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <limits>

#include "cli/command.hpp"
#include "cli/logging.hpp"
#include "cli/parser_error.hpp"

namespace {

using namespace nids;

std::function<Exit(Io&)> g_command;  // set by the subcommand that was given

void add_selection(CLI::App& sub, SelectionArguments& a) {
  sub.add_option("--filter", a.filter,
                 "analyse only packets that match, see pcap-filter(7); all are counted")
      ->type_name("EXPR");
  sub.add_option("--count", a.count,
                 "end after N suspicious packets: those that raised an alert, be it shown or "
                 "suppressed")
      ->type_name("N");
  sub.add_option("--store", a.store, "keep at most N packets; 0 keeps none")->type_name("N");
}

void add_attach(CLI::App& app) {
  static AttachArguments a;
  auto* sub = app.add_subcommand("attach", "watch interfaces until ^C");
  sub->add_option("IFACE", a.interfaces, "interfaces; none: that of the default route");
  sub->add_option("--mode", a.mode,
                  "auto (native, else skb), native, skb, or tc: for veth and virtio links")
      ->check(CLI::IsMember({"auto", "native", "skb", "tc"}));
  sub->add_flag("--no-egress", a.no_egress, "watch incoming packets only");
  sub->add_option("--netns", a.netns, "do it in this network namespace")->type_name("NAME");
  sub->add_option("--class", a.class_list,
                  "flag these classes only: ssh,telnet; others are counted")
      ->type_name("LIST");
  add_selection(*sub, a.selection);
  sub->add_option("--for", a.duration, "end after this time: 30s, 5m")->type_name("DURATION");
  sub->add_option("--interim", a.interim, "a record of a flow that goes on each time: 60s, 5m")
      ->type_name("DURATION");
  sub->add_option("--config", a.config, "configuration file")->type_name("FILE");
  sub->add_option("--eve", a.eve, "EVE JSON is appended here; - is standard output, off is nowhere")
      ->type_name("PATH");
  sub->add_option("--retain", a.retain, "packets are kept here; off is nowhere")->type_name("DIR");
  sub->add_option("--snap", a.snap, "keep at most so much of a packet: 64 to 65600 bytes, 1KiB")
      ->type_name("BYTES");
  sub->add_flag("--daemon", a.daemon, "go to the background once attached");
  sub->add_flag("--keep-attached", a.keep_attached, "leave programs and maps in place on exit");
  sub->callback([] { g_command = [](Io& io) { return run_attach(a, io); }; });
}

void add_detach(CLI::App& app) {
  static DetachArguments a;
  auto* sub = app.add_subcommand("detach", "end the agent of an interface, remove the programs");
  sub->add_option("IFACE", a.interfaces, "interfaces");
  sub->add_flag("--all", a.all, "all interfaces of this network namespace");
  sub->callback([] { g_command = [](Io& io) { return run_detach(a, io); }; });
}

void add_reload(CLI::App& app) {
  static std::optional<std::string> interface;
  auto* sub = app.add_subcommand("reload", "read the configuration again, in the running agent");
  sub->add_option("IFACE", interface, "the agent of this interface; none: all agents");
  sub->footer("Classes take effect at once. Every other key needs a restart.");
  sub->callback([] { g_command = [](Io& io) { return run_reload(interface, io); }; });
}

void add_status(CLI::App& app) {
  static bool json = false;
  auto* sub = app.add_subcommand("status", "what is attached where, in which mode and why");
  sub->add_flag("--json", json, "for scripts");
  sub->callback([] { g_command = [](Io& io) { return run_status(json, io); }; });
}

void add_stats(CLI::App& app) {
  static StatsArguments a;
  auto* sub = app.add_subcommand("stats", "packet, class and loss counters, and the ledger");
  sub->add_option("IFACE", a.interface, "one interface; none: all");
  auto* format = sub->add_option("--format", a.format, "text, json (for scripts) or prometheus")
                     ->check(CLI::IsMember({"text", "json", "prometheus"}));
  sub->add_flag_callback(
         "--json", [] { a.format = "json"; }, "the same as --format json")
      ->excludes(format);
  sub->add_option("--watch", a.watch_s, "again every S seconds")
      ->type_name("S")
      ->check(CLI::Range(0.1, 86400.0) & CLI::Validator(
                                             [](std::string& text) -> std::string {
                                               // No bound holds it back: nan is not below any.
                                               return std::isnan(std::strtod(text.c_str(), nullptr))
                                                          ? "not a number: " + text
                                                          : "";
                                             },
                                             ""));
  sub->callback([] { g_command = [](Io& io) { return run_stats(a, io); }; });
}

void add_flows(CLI::App& app) {
  static FlowsArguments a;
  auto* sub = app.add_subcommand("flows", "live connections, busiest first");
  sub->add_flag("--json", a.json, "for scripts");
  sub->add_option("--filter", a.filter,
                  "only flows that a packet of would match, see pcap-filter(7)")
      ->type_name("EXPR");
  sub->add_option("--top", a.top, "the first N only")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 24));
  sub->add_option("--by", a.by, "what the busiest have most of: bytes, packets or age")
      ->check(CLI::IsMember({"bytes", "packets", "age"}));
  sub->add_flag("--follow", a.follow, "then starts, changes and ends as they come, until ^C");
  sub->add_option("--class", a.class_list, "of these classes only: ssh,telnet")->type_name("LIST");
  sub->add_flag("--resolve", a.resolve, "addresses by name; the one looked up may notice");
  sub->add_flag("-n,--numeric", a.numeric, "ports as numbers");
  sub->callback([] { g_command = [](Io& io) { return run_flows(a, io); }; });
}

void add_replay(CLI::App& app) {
  static ReplayArguments a;
  auto* sub = app.add_subcommand("replay", "the whole pipeline over a capture file, without root");
  sub->footer("Prints a line an alert, then a summary, on standard output.");
  sub->add_option("FILE", a.file, "pcap or pcapng, gzip or zstd too; - is standard input")
      ->required();
  sub->add_flag("--kernel", a.kernel, "the first pass by the program in the kernel; needs root");
  sub->add_flag("--json", a.json, "for scripts: one object, no line an alert");
  sub->add_option("--eve", a.eve,
                  "append EVE JSON here; - is standard output; without it, and for off, nowhere")
      ->type_name("PATH");
  sub->add_option("--retain", a.retain,
                  "keep flagged packets here; without it, and for off, nowhere")
      ->type_name("DIR");
  sub->add_option("--config", a.config, "configuration file")->type_name("FILE");
  add_selection(*sub, a.selection);
  sub->callback([] { g_command = [](Io& io) { return run_replay(a, io); }; });
}

// The parser takes -1 for a large number.
CLI::Validator alert_id() {
  CLI::Validator range =
      CLI::Range(std::uint64_t{1}, std::uint64_t{std::numeric_limits<std::int64_t>::max()});
  return range.description("");  // which help would show
}

void add_retain(CLI::App* sub, std::optional<std::string>& directory) {
  sub->add_option("--retain", directory, "where packets are kept; none: where attach keeps them")
      ->type_name("DIR");
}

void add_config_of_attach(CLI::App* sub, std::optional<std::string>& config) {
  sub->add_option("--config", config,
                  "the file that attach was given; it says where packets are kept")
      ->type_name("FILE");
}

void add_choice(CLI::App* sub, KeptChoice& choice, const char* filter_help) {
  sub->add_option("--alert", choice.alert, "of this alert's flow")
      ->type_name("ID")
      ->check(alert_id());
  sub->add_option("--flow", choice.flow, "of this flow")->type_name("COMMUNITY_ID");
  sub->add_option("--filter", choice.filter, filter_help)->type_name("EXPR");
  sub->add_option("--since", choice.since,
                  "not older: 2026-11-22T10:00:00, UTC or with +0100 behind it, or 10m, 1h, 2d ago")
      ->type_name("T");
  sub->add_option("--until", choice.until, "not newer; not before --since")->type_name("T");
  add_retain(sub, choice.retain);
  add_config_of_attach(sub, choice.config);
}

void add_pcap_list(CLI::App* pcap) {
  static KeptChoice choice;
  static bool json = false;
  auto* sub = pcap->add_subcommand("list", "a line a flow of which packets are kept, oldest first");
  sub->add_flag("--json", json, "for scripts");
  add_choice(sub, choice, "flows by VLAN, protocol, addresses and ports: pcap-filter(7)");
  sub->callback([] { g_command = [](Io& io) { return run_pcap_list(choice, json, io); }; });
}

void add_pcap_export(CLI::App* pcap) {
  static PcapExportArguments a;
  auto* sub = pcap->add_subcommand("export", "kept packets as a capture file, by their times");
  sub->footer("One of --alert, --flow and --filter says which.");
  add_choice(sub, a.choice, "packets by all that they hold: pcap-filter(7)");
  sub->add_option("--format", a.format, "pcapng (with comments and interfaces), or pcap")
      ->check(CLI::IsMember({"pcapng", "pcap"}));
  sub->add_option("-o,--output", a.output, "written whole or not at all; - is standard output")
      ->type_name("FILE")
      ->required();
  sub->callback([] { g_command = [](Io& io) { return run_pcap_export(a, io); }; });
}

void add_pcap(CLI::App& app) {
  static std::string file;
  static std::optional<std::string> config, retain;
  auto* pcap = app.add_subcommand("pcap", "retained packets and capture files");
  pcap->require_subcommand(1);
  add_pcap_list(pcap);
  auto* sub = pcap->add_subcommand("summary", "a line a packet of a capture file");
  sub->footer("Comments are shown of pcapng files that are neither compressed nor standard input.");
  sub->add_option("FILE", file, "capture file; - is standard input")->required();
  sub->add_option("--config", config, "configuration file")->type_name("FILE");
  sub->callback([] { g_command = [](Io& io) { return run_pcap_summary(file, config, io); }; });
  add_pcap_export(pcap);
  auto* reindex = pcap->add_subcommand("reindex", "make the index of kept packets anew from them");
  add_retain(reindex, retain);
  add_config_of_attach(reindex, config);
  reindex->callback(
      [] { g_command = [](Io& io) { return run_pcap_reindex(retain, config, io); }; });
}

void add_alerts(CLI::App& app) {
  static AlertsArguments a;
  static Exit (*run_alerts)(const AlertsArguments&, Io&) = run_alerts_list;
  auto* alerts = app.add_subcommand("alerts", "alerts and their evidence; list is the default");
  alerts->require_subcommand(0, 1);
  alerts->add_flag("--json", a.json, "for scripts");
  alerts
      ->add_option(
          "--since", a.since,
          "not older: 2026-11-22T10:00:00, UTC or with +0100 behind it, or 10m, 1h, 2d ago")
      ->type_name("T");
  alerts->add_option("--severity", a.severity, "as severe at least: 1 high to 3 low")
      ->type_name("N")
      ->check(CLI::Range(1, 3));
  alerts->add_option("--class", a.class_list, "of these classes only: ssh,telnet")
      ->type_name("LIST");
  alerts
      ->add_option("--filter", a.filter,
                   "of flows by VLAN, protocol, addresses and ports: pcap-filter(7)")
      ->type_name("EXPR");
  add_retain(alerts, a.retain);
  add_config_of_attach(alerts, a.config);
  alerts->add_subcommand("list", "a line an alert, oldest first")->callback([] {
    run_alerts = run_alerts_list;
  });
  auto* show =
      alerts->add_subcommand("show", "all that is known of one, and where its packets lie");
  show->add_option("ID", a.id, "its number, as list has it")->required()->check(alert_id());
  show->callback([] { run_alerts = run_alerts_show; });
  alerts->add_subcommand("follow", "new ones as they come, until ^C")->callback([] {
    run_alerts = run_alerts_follow;
  });
  for (auto* sub : alerts->get_subcommands({})) sub->footer("Options: nids-xdp alerts --help");
  alerts->callback([] { g_command = [](Io& io) { return run_alerts(a, io); }; });
}

void add_classes(CLI::App& app) {
  static bool json = false;
  static std::optional<std::string> config;
  auto* sub = app.add_subcommand("classes", "the protocol classes of the configuration");
  sub->add_flag("--json", json, "for scripts");
  sub->add_option("--config", config, "configuration file")->type_name("FILE");
  sub->callback([] { g_command = [](Io& io) { return run_classes(json, config, io); }; });
}

void add_config(CLI::App& app) {
  static std::optional<std::string> file;
  auto* config = app.add_subcommand("config", "check a configuration, or print the one in force");
  config->require_subcommand(1);
  auto* check = config->add_subcommand("check", "problems with line and column; exit 3 if any");
  check->add_option("FILE", file, "none: the default file");
  check->callback([] { g_command = [](Io& io) { return run_config_check(file, io); }; });
  auto* dump = config->add_subcommand("dump", "every value in force, as TOML");
  dump->add_option("FILE", file, "none: the default file");
  dump->callback([] { g_command = [](Io& io) { return run_config_dump(file, io); }; });
}

void add_lab(CLI::App& app) {
  auto* sub = app.add_subcommand("lab", "a network of hosts in namespaces, on this machine");
  sub->set_help_flag();  // the laboratory has its own
  sub->fallthrough(false);
  sub->prefix_command();
  sub->callback(
      [sub] { g_command = [words = sub->remaining()](Io& io) { return run_lab(words, io); }; });
}

// Of the terminal on standard output; 0 where there is none, or it does not tell.
std::size_t terminal_width() {
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

// Where a standard descriptor is closed the next file to be opened takes its number, and what is
// written to standard output goes there.
void fill_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
      [[maybe_unused]] const int lowest = open("/dev/null", O_RDWR);  // which is this one
    }
}

// A reader that has seen enough, as `head` has, is no failure of ours. errno does not tell: the
// write that failed may be long ago.
bool has_no_reader(int fd) {
  pollfd end{fd, 0, 0};
  return poll(&end, 1, 0) > 0 && (end.revents & (POLLERR | POLLHUP)) != 0;
}

int run(int argc, char** argv) {
  CLI::App app{"Network intrusion detection with its first pass in the kernel", "nids-xdp"};
  bool is_quiet = false;
  std::string log_level = "info";
  app.set_version_flag("--version", std::string("nids-xdp ") + NIDS_VERSION);
  app.add_flag("-q,--quiet", is_quiet,
               "of messages, only what went wrong; results are printed as ever");
  app.add_option("--log-level", log_level, "trace, debug, info, warning, error or off");
  app.require_subcommand(1);
  app.fallthrough();
  for (const auto add : {add_attach, add_detach, add_reload, add_status, add_stats, add_flows,
                         add_alerts, add_pcap, add_replay, add_classes, add_config, add_lab})
    add(app);
  const bool is_terminal = isatty(STDOUT_FILENO) != 0;
  const char* no_color = std::getenv("NO_COLOR");
  Io io{.out = std::cout,
        .err = std::cerr,
        .out_is_terminal = is_terminal,
        .width = is_terminal ? terminal_width() : 0,
        .colour = is_terminal && (!no_color || !*no_color),
        .is_quiet = false,
        .paths = default_paths(),
        .confine = confine_command};
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help, std::cout, std::cerr);
  } catch (const CLI::ParseError& error) {
    const ParserComplaint complaint = parser_complaint(app, error);
    return usage(complaint.text, io, complaint.command);
  }
  io.is_quiet = is_quiet;

  umask(022);  // what we make has the rights that we give, whatever the caller's mask
  if (!log_to_stderr(is_quiet ? "error" : log_level))
    return usage(
        "--log-level: " + log_level + " is none of trace, debug, info, warning, error, off", io);
  const Exit code = g_command(io);
  errno = 0;
  if (std::cout.flush() || has_no_reader(STDOUT_FILENO)) return code;
  return fail({.action = "write to standard output", .error_number = errno}, io);
}

}  // namespace

// Nothing of ours throws; what a library throws is most likely the end of memory.
int main(int argc, char** argv) {
  fill_standard_descriptors();
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "nids-xdp: %s\n", error.what());
    return kFailed;
  }
}
