// SPDX-License-Identifier: Apache-2.0
// The command line as CLI11 knows it: every option is here, and nothing is done here.
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>

#include "cli/command.hpp"
#include "cli/logging.hpp"

namespace {

using namespace nids;

std::function<Exit(Io&)> g_command;  // set by the subcommand that was given

void add_attach(CLI::App& app) {
  static AttachArguments a;
  auto* sub = app.add_subcommand("attach", "watch interfaces until ^C");
  sub->add_option("IFACE", a.interfaces, "interfaces; none: that of the default route");
  sub->add_option("--mode", a.mode, "auto (native, else skb), native or skb")
      ->check(CLI::IsMember({"auto", "native", "skb"}));
  sub->add_flag("--no-egress", a.no_egress, "watch incoming packets only");
  sub->add_option("--netns", a.netns, "do it in this network namespace")->type_name("NAME");
  sub->add_option("--class", a.class_list, "flag these classes only: ssh,telnet")
      ->type_name("LIST");
  sub->add_option("--for", a.duration, "end after this time: 30s, 5m")->type_name("DURATION");
  sub->add_option("--config", a.config, "configuration file")->type_name("FILE");
  sub->add_option("--eve", a.eve, "EVE JSON goes here; - is standard output, off is nowhere")
      ->type_name("PATH");
  sub->add_option("--retain", a.retain, "packets are kept here; off is nowhere")->type_name("DIR");
  sub->add_option("--snap", a.snap, "bytes of a packet to keep at most")->type_name("BYTES");
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
  sub->add_flag("--json", a.json, "for scripts");
  sub->add_option("--watch", a.watch_s, "again every S seconds")
      ->type_name("S")
      ->check(CLI::Range(0.1, 86400.0));
  sub->callback([] { g_command = [](Io& io) { return run_stats(a, io); }; });
}

void add_replay(CLI::App& app) {
  static ReplayArguments a;
  auto* sub = app.add_subcommand("replay", "the whole pipeline over a capture file, without root");
  sub->add_option("FILE", a.file, "pcap or pcapng, gzip or zstd too; - is standard input")
      ->required();
  sub->add_flag("--kernel", a.kernel, "the first pass by the program in the kernel; needs root");
  sub->add_flag("--json", a.json, "for scripts");
  sub->add_option("--eve", a.eve, "write EVE JSON here; - is standard output")->type_name("PATH");
  sub->add_option("--retain", a.retain, "keep flagged packets here; off is nowhere")
      ->type_name("DIR");
  sub->add_option("--config", a.config, "configuration file")->type_name("FILE");
  sub->callback([] { g_command = [](Io& io) { return run_replay(a, io); }; });
}

void add_pcap(CLI::App& app) {
  static std::string file;
  static std::optional<std::string> config;
  auto* pcap = app.add_subcommand("pcap", "retained packets and capture files");
  pcap->require_subcommand(1);
  auto* sub = pcap->add_subcommand("summary", "a line a packet of a capture file");
  sub->add_option("FILE", file, "capture file; - is standard input")->required();
  sub->add_option("--config", config, "configuration file")->type_name("FILE");
  sub->callback([] { g_command = [](Io& io) { return run_pcap_summary(file, config, io); }; });
}

void add_classes(CLI::App& app) {
  static bool json = false;
  static std::optional<std::string> config;
  auto* sub = app.add_subcommand("classes", "the protocol classes in force");
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

int run(int argc, char** argv) {
  CLI::App app{"Network intrusion detection with its first pass in the kernel", "nids-xdp"};
  bool is_quiet = false;
  std::string log_level = "info";
  app.set_version_flag("--version", std::string("nids-xdp ") + NIDS_VERSION);
  app.add_flag("-q,--quiet", is_quiet, "say only what went wrong");
  app.add_option("--log-level", log_level, "trace, debug, info, warning, error or off");
  app.require_subcommand(1);
  app.fallthrough();
  for (const auto add : {add_attach, add_detach, add_status, add_stats, add_replay, add_pcap,
                         add_classes, add_config})
    add(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error, std::cout, std::cerr);
    return code == 0 ? kOk : kUsage;
  }

  umask(022);  // what we make has the rights that we give, whatever the caller's mask
  const bool is_terminal = isatty(STDOUT_FILENO) != 0;
  const char* no_color = std::getenv("NO_COLOR");
  Io io{.out = std::cout,
        .err = std::cerr,
        .out_is_terminal = is_terminal,
        .colour = is_terminal && (!no_color || !*no_color),
        .is_quiet = is_quiet,
        .paths = default_paths()};
  if (!log_to_stderr(is_quiet ? "error" : log_level))
    return usage(
        "--log-level: " + log_level + " is none of trace, debug, info, warning, error, off", io);
  const Exit code = g_command(io);
  // A reader that has seen enough, as `head` has, is no failure of ours.
  if (std::cout.flush() || errno == EPIPE) return code;
  return fail({.action = "write to standard output", .error_number = errno}, io);
}

}  // namespace

// Nothing of ours throws; what a library throws is most likely the end of memory.
int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "nids-xdp: %s\n", error.what());
    return kFailed;
  }
}
