// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sched.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <iostream>
#include <ostream>
#include <sstream>

#include "agent/console.hpp"
#include "agent/privileges.hpp"
#include "agent/supervisor.hpp"
#include "cli/command.hpp"
#include "cli/filter_expression.hpp"
#include "cli/logging.hpp"
#include "cli/selection.hpp"
#include "cli/started.hpp"
#include "decode/printable.hpp"
#include "kernel/handle.hpp"
#include "kernel/shell_word.hpp"
#include "log/alert_line.hpp"
#include "report/report.hpp"

namespace nids {
namespace {

constexpr std::uint64_t kMaxInterim_ms = 24ull * 3600 * 1000;

Result<void> enter_netns(const std::string& name) {
  const std::string action = "enter the network namespace " + printable(name);
  if (name.empty() || name.find('/') != std::string::npos || name == "." || name == "..")
    return Error{.action = action, .reason = "that is not a name as `ip netns` gives them"};
  const Fd fd{open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd)
    return Error{.action = action, .error_number = errno, .hint = "ip netns list shows them"};
  if (setns(fd.get(), CLONE_NEWNET) != 0) return Error{.action = action, .error_number = errno};
  return {};
}

// The options that change the configuration; an error is a usage error.
Result<void> apply(const AttachArguments& arguments, Config& config) {
  if (arguments.class_list)
    if (auto limited = restrict_classes(config, *arguments.class_list); !limited) return limited;
  if (arguments.eve) {
    config.eve.enabled = *arguments.eve != "off";
    config.eve.path = *arguments.eve;
  }
  if (arguments.retain) {
    config.retain.enabled = *arguments.retain != "off";
    config.retain.directory = *arguments.retain;
  }
  if (arguments.snap) {
    auto snap = parse_size(*arguments.snap);
    if (!snap) return snap.error();
    if (*snap < 64 || *snap > NIDS_SNAP_MAX)
      return Error{.action = "take --snap " + *arguments.snap,
                   .reason = "it must lie between 64 and " + std::to_string(NIDS_SNAP_MAX)};
    config.ring.snap_bytes = static_cast<std::uint32_t>(*snap);
  }
  if (arguments.interim) {
    auto ms = parse_duration_ms(*arguments.interim);
    if (!ms) return ms.error();
    if (*ms % 1000 != 0 || *ms == 0 || *ms > kMaxInterim_ms)
      return Error{.action = "take --interim " + *arguments.interim,
                   .reason = "it is no number of whole seconds from 1s to 24h"};
    config.flow.interim_seconds = static_cast<std::uint32_t>(*ms / 1000);
  }
  return {};
}

// Reads the configuration for a reload. Its messages go to the client. `file`: none if the agent
// runs with the defaults.
ConfigReading read_again(const AttachArguments& arguments, const std::optional<std::string>& file,
                         bool keeps_packets, const Paths& paths) {
  std::ostringstream nowhere, told;
  Io io{.out = nowhere, .err = told, .paths = paths};
  ConfigReading reading{.config = effective_config(file, io, "nothing was changed")};
  if (reading.config)
    if (auto applied = apply(arguments, *reading.config); !applied) {
      fail(applied.error(), io);
      reading.config.reset();
    }
  if (reading.config && !keeps_packets) reading.config->retain.enabled = false;
  reading.problems = told.str();
  if (reading.problems.ends_with('\n')) reading.problems.pop_back();
  return reading;
}

// An error is a usage error.
Result<Selection> selection_of(const SelectionArguments& arguments) {
  auto selection = selected_counts(arguments);
  if (!selection || !arguments.filter) return selection;
  auto filter = compile_packet_filter(*arguments.filter, Services::load());
  if (!filter) return filter.error();
  selection->filter = std::move(*filter);
  selection->filter_text = *arguments.filter;
  return selection;
}

ModeChoice mode_choice(const std::string& mode) {
  return mode == "native" ? ModeChoice::kNative
         : mode == "skb"  ? ModeChoice::kSkb
         : mode == "tc"   ? ModeChoice::kTc
                          : ModeChoice::kAuto;
}

// The command that was typed ends when the agent runs; its exit code tells whether it does.
class Daemon {
 public:
  // Returns in the daemon; in the process that was started it returns an exit code.
  std::optional<Exit> begin(Io& io) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0)
      return fail({.action = "start the daemon", .error_number = errno}, io);
    const Fd read_end{ends[0]};
    write_end_ = Fd{ends[1]};
    const pid_t child = fork();
    if (child < 0) return fail({.action = "start the daemon", .error_number = errno}, io);
    if (child == 0) {
      setsid();
      return std::nullopt;
    }
    write_end_ = Fd{};
    char byte = 0;
    if (read(read_end.get(), &byte, 1) != 1) return kFailed;  // it has said why
    io.err << "nids-xdp: running as process " << child << '\n';
    return kOk;
  }

  // Lets go of the caller's streams: who waits for their end, as `$(...)` does, waits for us.
  static void leave_terminal() {
    const Fd null{open("/dev/null", O_RDWR | O_CLOEXEC)};
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
      if (null) dup2(null.get(), fd);
  }

  void ready() {
    leave_terminal();
    log_to_journal();
    // The command that waits for the byte says that we failed if it is lost.
    [[maybe_unused]] const ssize_t written = write(write_end_.get(), "!", 1);
    write_end_ = Fd{};
  }

  void release() { write_end_ = Fd{}; }  // in the agent, which has nothing to tell that command

 private:
  Fd write_end_;
};

std::string place_text(const std::string& given, const std::string& otherwise) {
  return given.empty() ? otherwise : printable(given, 4096);
}

void tell_started(const AttachRequest& request, bool eve, const std::string& packets, Io& io) {
  if (io.is_quiet) return;
  const Config& config = request.config;
  const std::string alerts =
      config.eve.path == "-" ? "standard output" : place_text(config.eve.path, request.paths.eve);
  io.err << started_text({.alerts = eve ? alerts : "",
                          .packets = printable(packets, 4096),
                          .now = std::chrono::system_clock::now(),
                          .duration = request.duration,
                          .max_suspicious = request.selection.max_suspicious});
}

// Standard output and error of `attach`. Printing never waits for the reader.
class Consoles {
 public:
  Consoles() : out_(STDOUT_FILENO), err_(STDERR_FILENO) { log_to_stream(err_); }
  ~Consoles() { log_to_stream(std::cerr); }

  std::ostream& out() { return out_; }
  std::ostream& err() { return err_; }
  bool has_room() {
    out_.flush();
    err_.flush();
    return out_.buffer().has_room() && err_.buffer().has_room();
  }
  // Also sends buffered lines, so call it now and then.
  std::uint64_t lost_lines() {
    has_room();
    return out_.buffer().lost_lines() + err_.buffer().lost_lines();
  }

  // After the standard descriptors were replaced.
  void use_anew() {
    out_.buffer().use(STDOUT_FILENO);
    err_.buffer().use(STDERR_FILENO);
  }
  void start_in_agent() {
    use_anew();
    log_to_stream(err_);
  }

  // Waits a moment for a reader that has stopped.
  Exit finish(Exit code) {
    constexpr auto kMayTake = std::chrono::seconds(1);
    out_.buffer().drain(kMayTake);
    const int error = out_.buffer().error_number();
    // A reader that has seen enough, as `head` has, is no failure of ours.
    if (error != 0 && error != EPIPE) {
      Io io{.out = out_, .err = err_};
      code = fail({.action = "write to standard output", .error_number = error}, io);
    }
    err_.buffer().drain(kMayTake);
    return code;
  }

 private:
  Console out_, err_;
};

Exit report_outcome(const AttachOutcome& outcome, const AttachRequest& request, std::ostream& out) {
  bool is_doubtful = false;
  // Records that no agent will take any more: not where the programs are to go on.
  const bool is_final = !request.keep_attached || !outcome.is_done;
  for (const auto& [name, reading] : outcome.readings) {
    StatsReport report = report_of(reading);
    report.interface = name;
    report.is_final = is_final;
    report.keeps_packets = request.config.retain.enabled;
    out << summary_text(report);
    is_doubtful = is_doubtful || has_losses(report) || !is_balanced(report).value_or(true);
  }
  out.flush();
  if (!outcome.is_done) return kFailed;
  return is_doubtful || outcome.is_doubtful ? kDegraded : kOk;
}

void print_line(std::ostream& stream, std::string_view line) { stream << line << std::endl; }

// A line that the agent printed, whose prefix the journal has already.
void log_line(std::string_view line) {
  constexpr std::string_view kPrefix = "nids-xdp: ";
  if (line.starts_with(kPrefix)) line.remove_prefix(kPrefix.size());
  spdlog::error("{}", line);
}

// `daemon`: null in the foreground.
Exit watch(const AttachRequest& request, Daemon* daemon, Consoles& consoles, Io& io) {
  // With EVE on standard output nothing else may stand there.
  const bool eve_is_stdout = request.config.eve.enabled && request.config.eve.path == "-";
  std::ostream& out = eve_is_stdout ? io.err : io.out;
  Callbacks callbacks{
      .info = [](const std::string& text) { spdlog::info("{}", printable_lines(text)); },
      .warning = [](const std::string& text) { spdlog::warn("{}", printable_lines(text)); },
      .error = [](const std::string& text) { spdlog::error("{}", printable_lines(text)); },
      .in_agent =
          [&] {
            if (daemon) daemon->release();
            consoles.start_in_agent();
          },
      .confined = {},
      .alert = {},
      .lines_lost = [&] { return consoles.lost_lines(); },
      .out = [&](std::string_view line) { print_line(io.out, line); },
      .err =
          [&](std::string_view line) {
            if (daemon)
              log_line(line);
            else
              print_line(io.err, line);
          },
      .has_room = [&] { return consoles.has_room(); },
      .started =
          [&](bool eve, const std::string& packets) {
            if (!daemon) return tell_started(request, eve, packets, io);
            daemon->ready();
            consoles.use_anew();
          }};
  if (io.out_is_terminal && !daemon && !eve_is_stdout)
    callbacks.alert = [&](const Alert& alert) {
      print_line(out, alert_line(alert, {.colour = io.colour, .width = io.width}));
    };
  auto outcome = Supervisor(request, std::move(callbacks)).run();
  if (!outcome) return fail(outcome.error(), io);
  return report_outcome(*outcome, request, out);
}

}  // namespace

Exit run_attach(const AttachArguments& arguments, Io& io) {
  AttachRequest request{.interfaces = arguments.interfaces,
                        .mode = mode_choice(arguments.mode),
                        .egress = !arguments.no_egress,
                        .keep_attached = arguments.keep_attached,
                        .duration = {},
                        .selection = {},
                        .config = {},
                        .paths = io.paths};
  if (arguments.duration) {
    auto ms = parse_duration_ms(*arguments.duration);
    if (!ms) return usage(ms.error().message(), io, "attach");
    request.duration = std::chrono::milliseconds(*ms);
  }
  auto selection = selection_of(arguments.selection);
  if (!selection) return usage(selection.error().message(), io, "attach");
  auto config = effective_config(arguments.config, io);
  if (!config) return kFailed;
  if (auto applied = apply(arguments, *config); !applied)
    return usage(applied.error().message(), io, "attach");
  if (keeps_nothing(*selection)) config->retain.enabled = false;
  request.read_config = [&arguments, file = file_in_force(arguments.config, io),
                         keeps_packets = !keeps_nothing(*selection), paths = io.paths] {
    return read_again(arguments, file, keeps_packets, paths);
  };
  request.selection = std::move(*selection);
  request.config = std::move(*config);
  if (const std::string missing = missing_to_attach(); !missing.empty())
    return fail(
        {.action = "attach", .reason = "this process lacks " + missing, .hint = "run it with sudo"},
        io);
  if (arguments.netns)
    if (auto entered = enter_netns(*arguments.netns); !entered) return fail(entered.error(), io);
  if (arguments.netns) request.enter = "ip netns exec " + shell_word(*arguments.netns);

  Daemon daemon;
  if (arguments.daemon)
    if (const auto code = daemon.begin(io)) return *code;
  Consoles consoles;
  Io own{.out = consoles.out(),
         .err = consoles.err(),
         .out_is_terminal = io.out_is_terminal,
         .width = io.width,
         .colour = io.colour,
         .is_quiet = io.is_quiet,
         .paths = io.paths};
  return consoles.finish(watch(request, arguments.daemon ? &daemon : nullptr, consoles, own));
}

}  // namespace nids
