// SPDX-License-Identifier: Apache-2.0
#include "agent/agent_process.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "agent/child.hpp"
#include "agent/class_message.hpp"
#include "agent/control.hpp"
#include "agent/link.hpp"
#include "agent/metrics_listener.hpp"
#include "agent/privileges.hpp"
#include "agent/sinks.hpp"
#include "agent/unix_listener.hpp"
#include "export/udp_exporter.hpp"
#include "nids/time.hpp"

namespace nids {
namespace {

constexpr auto kStartMayTake = std::chrono::seconds(10);  // between two words that it goes on
constexpr auto kEndMayTake = std::chrono::seconds(10);
constexpr auto kKilledMayTake = std::chrono::seconds(5);
constexpr int kLookEvery_ms = 200;
constexpr auto kTakingMayTake = std::chrono::seconds(5);
constexpr auto kRingMayTake = std::chrono::seconds(45);  // at most, so that the client still waits
constexpr std::uint64_t kRingBytesASecond = 16u << 20;   // a worker reads at least so many
constexpr int kWordsAtOnce = 64;  // so that an agent that floods the parent delays nothing else
// The agent's loop takes 20 ms. Disks, which may take longer, have threads of their own.
constexpr auto kLongestSilence = std::chrono::seconds(10);
// The delay doubles with each restart. A run of more than twice the delay resets it.
constexpr auto kFirstDelay = std::chrono::seconds(1), kLastDelay = std::chrono::seconds(60);

std::string how_it_ended(int status) {
  return WIFSIGNALED(status) ? std::string("signal ") + strsignal(WTERMSIG(status))
                             : "exit code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

AgentProcess::AgentProcess(const AttachRequest& request, const ClassIndexes& classes,
                           const Callbacks& callbacks, std::vector<Attachment>& attachments,
                           const Links& links, std::function<void()> leave_parent)
    : request_(request),
      classes_(classes),
      callbacks_(callbacks),
      attachments_(attachments),
      joined_(links),
      leave_parent_(std::move(leave_parent)),
      eve_(eve_files(request.config.eve, request.paths), callbacks.info, callbacks.error) {}

Result<void> AgentProcess::start(const std::function<std::optional<std::string>()>& is_to_end) {
  const std::string action = "start the agent";
  if (auto opened = open_metrics_listener(); !opened) return opened;
  if (auto begun = begin(); !begun) return begun;
  while (state_ == State::kStarting) {
    std::vector<pollfd> fds;
    add_to(fds);
    poll(fds.data(), fds.size(), kLookEvery_ms);
    if (const auto why = is_to_end()) return Error{.action = action, .reason = *why};
    hear_words();
    pass_output();
    if (std::string how; has_ended(how))
      return Error{.action = action, .reason = "it ended: " + how};
    if (Clock::now() > deadline_)
      return Error{.action = action, .reason = "it did not answer in time"};
  }
  return {};
}

Result<void> AgentProcess::open_metrics_listener() {
  if (!request_.config.metrics.is_on()) return {};
  auto listener = listen_for_metrics(request_.config.metrics, request_.paths.run, reader_group());
  if (!listener) return listener.error();
  metrics_listener_ = std::move(*listener);
  return {};
}

Result<void> AgentProcess::begin() {
  Sinks sinks = open_sinks(request_.config, request_.paths, attachments_,
                           request_.selection.filter_text, eve_.files(), callbacks_.error);
  sinks.on_alert = callbacks_.alert;
  sinks.lines_lost = callbacks_.lines_lost;
  eve_is_open_ = sinks.eve && !sinks.eve->degraded();
  packets_directory_ = sinks.store ? sinks.store->directory() : "";

  auto listener = listen_at(control_socket(), reader_group());
  if (!listener) callbacks_.warning(listener.error().message() + "; nobody can ask for flows");
  auto link = make_link();
  if (!link) return link.error();
  auto out = Relay::make(), err = Relay::make();
  if (!out) return out.error();
  if (!err) return err.error();
  out_ = std::move(*out);
  err_ = std::move(*err);
  link_ = std::move(link->first);
  Fd child_end = std::move(link->second);

  const int parent = getpid();
  pid_ = fork();
  if (pid_ < 0) {
    pid_ = 0;
    return Error{.action = "start the agent", .error_number = errno};
  }
  if (pid_ == 0)
    become_agent(std::move(sinks), std::move(child_end), listener ? std::move(*listener) : Fd{},
                 parent);
  // Only the agent may hold the write ends, so that its death closes the pipes.
  out_->take_write_end();
  err_->take_write_end();
  state_ = State::kStarting;
  deadline_ = Clock::now() + kStartMayTake;
  has_enough_ = false;
  return {};
}

void AgentProcess::become_agent(Sinks sinks, Fd link, Fd control_listener, int parent) {
  link_ = Fd{};
  leave_parent_();
  const bool eve_is_on_terminal =
      request_.config.eve.path == "-" && isatty(STDOUT_FILENO) != 0 && sinks.eve;
  if (auto left = leave_terminal(out_->take_write_end(), err_->take_write_end()); !left) _exit(1);
  out_.reset();
  err_.reset();
  if (eve_is_on_terminal) sinks.eve->replace(dup(STDOUT_FILENO));
  if (callbacks_.in_agent) callbacks_.in_agent();
  run_child({.config = request_.config,
             .classes = classes_,
             .attachments = attachments_,
             .links = joined_,
             .sinks = std::move(sinks),
             .link = std::move(link),
             .control_listener = std::move(control_listener),
             .metrics_listener = std::move(metrics_listener_),
             .parent = parent,
             .selection = request_.selection,
             .warning = callbacks_.warning,
             .error = callbacks_.error,
             .confined = callbacks_.confined});
}

void AgentProcess::add_to(std::vector<pollfd>& fds) const {
  const auto add = [&](int fd) {
    if (fd >= 0) fds.push_back({fd, POLLIN, 0});
  };
  add(link_.get());
  // poll() would return at once for a pipe that can't be emptied now.
  if (!callbacks_.has_room()) return;
  if (out_) add(out_->fd());
  if (err_) add(err_->fd());
}

void AgentProcess::serve() {
  hear_words();
  pass_output();
  look_after();
}

void AgentProcess::hear_words() {
  for (int words = 0; link_ && words < kWordsAtOnce; ++words) {
    const auto said = hear(link_.get());
    switch (eve_.serve(link_.get(), said, state_ == State::kStarting)) {
      case Word::kNothing:
        return;
      case Word::kGone:
        link_ = Fd{};  // has_ended() finds out how
        deadline_ = Clock::now() + kKilledMayTake;
        return;
      case Word::kStarting:
        deadline_ = Clock::now() + kStartMayTake;
        break;
      case Word::kRunning:
        if (state_ == State::kStarting) state_ = State::kRunning;
        running_since_ = Clock::now();
        break;
      case Word::kHasEnough:
        has_enough_ = true;
        break;
      case Word::kCollectorIsGone:
        give_collector();
        break;
      case Word::kClassesTaken:
        classes_taken_ = said->number;
        break;
      default:
        break;
    }
  }
}

void AgentProcess::pass_output() {
  if (out_) out_->pass(callbacks_.has_room, callbacks_.out);
  if (err_) err_->pass(callbacks_.has_room, callbacks_.err);
}

// The agent may not connect a socket. If this fails, it asks again.
void AgentProcess::give_collector() {
  const auto socket = connect_to_collector(request_.config.ipfix.collector);
  static_cast<void>(say(link_.get(), Word::kCollector, 0, socket ? socket->get() : -1));
}

// Serves the agent until `is_so`. Returns false if the agent ends or does not do so by `end`.
bool AgentProcess::is_waited_for(const std::function<bool()>& is_so, Clock::time_point end) {
  while (!is_so()) {
    if (pid_ == 0 || !link_ || Clock::now() > end) return false;
    std::vector<pollfd> fds;
    add_to(fds);
    poll(fds.data(), fds.size(), kLookEvery_ms);
    hear_words();
    pass_output();
  }
  return true;
}

bool AgentProcess::give_classes(const PlacedClasses& classes) {
  if (!is_running()) return false;
  const std::vector<std::byte> body = encode_classes(classes);
  ++classes_given_;
  const auto is_said = [&] {
    return link_ && say(link_.get(), Word::kClasses, classes_given_, -1, body);
  };
  // If an index is reused, the agent reads what the rings have first.
  const auto ring = std::chrono::seconds(request_.config.ring.size_bytes / kRingBytesASecond);
  const auto end = Clock::now() + kTakingMayTake +
                   (classes.reused.any() ? std::min(ring, kRingMayTake) : ring.zero());
  if (is_waited_for(is_said, end) &&
      is_waited_for([this] { return classes_taken_ == classes_given_; }, end))
    return true;
  if (!link_) return false;  // look_after() starts another agent
  callbacks_.error("the agent, process " + std::to_string(pid_) +
                   ", does not take the new classes; killing it");
  kill(pid_, SIGKILL);
  state_ = State::kKilled;
  return false;
}

void AgentProcess::look_after() {
  if (state_ == State::kNone) {
    if (Clock::now() < next_start_) return;
    for (const Attachment& one : attachments_) one.maps.uncount_records_to_be_taken_again();
    if (auto begun = begin(); !begun) plan_restart(begun.error().message());
    return;
  }
  if (std::string how; has_ended(how)) {
    plan_restart("the agent ended by itself (" + how + ")");
  } else if (state_ != State::kKilled &&
             (state_ == State::kStarting || !link_ ? Clock::now() > deadline_ : is_silent())) {
    callbacks_.error("the agent, process " + std::to_string(pid_) +
                     ", does not answer; killing it");
    kill(pid_, SIGKILL);
    state_ = State::kKilled;  // if it waits for a disk, it dies when the disk answers
  }
}

bool AgentProcess::is_silent() const {
  // An interface that is just being detached gets no heartbeat any more; the others do.
  __u64 last = 0;
  for (const Attachment& one : attachments_)
    if (const Mapped<nids_agent_counters> agent{one.maps.fd("nids_agent")}; agent)
      last = std::max(last, __atomic_load_n(&agent->heartbeat_ns, __ATOMIC_RELAXED));
  const std::uint64_t now = monotonic_now().ns;
  return last != 0 && now > last &&
         now - last > static_cast<std::uint64_t>(std::chrono::nanoseconds(kLongestSilence).count());
}

bool AgentProcess::has_ended(std::string& how) {
  int status = 0;
  const pid_t ended = waitpid(pid_, &status, WNOHANG);
  if (ended == 0) return false;
  how = ended < 0 ? "nobody knows how" : how_it_ended(status);
  end_of_process();
  return true;
}

void AgentProcess::end_of_process() {
  pass_output();  // its last words
  pid_ = 0;
  state_ = State::kNone;
  link_ = Fd{};
  out_.reset();
  err_.reset();
}

void AgentProcess::plan_restart(const std::string& why) {
  const auto ran =
      running_since_ == Clock::time_point{} ? Clock::duration{} : Clock::now() - running_since_;
  running_since_ = {};
  delay_ = delay_.count() == 0 || ran > delay_ * 2 ? kFirstDelay : std::min(delay_ * 2, kLastDelay);
  next_start_ = Clock::now() + delay_;
  ++restarts_;
  for (const Attachment& one : attachments_)
    if (const Mapped<nids_agent_counters> agent{one.maps.fd("nids_agent")}; agent)
      agent->restarts += 1;
  callbacks_.error(why + "; the programs go on counting, and it starts again in " +
                   std::to_string(delay_.count()) + " s");
}

std::string AgentProcess::control_socket() const {
  return control_path(request_.paths.run, static_cast<std::uint64_t>(getpid()));
}

bool AgentProcess::stop() {
  unlink(control_socket().c_str());
  if (metrics_listener_ && request_.config.metrics.on_unix_socket)
    unlink(metrics_path(request_.paths.run).c_str());
  metrics_listener_ = Fd{};
  if (pid_ == 0) return false;
  if (!link_ || !say(link_.get(), Word::kEnd)) link_ = Fd{};  // a closed link ends the agent too
  const auto deadline = Clock::now() + kEndMayTake;
  int status = 0;
  pid_t ended = 0;
  while ((ended = waitpid(pid_, &status, WNOHANG)) == 0) {
    const auto now = Clock::now();
    if (now > deadline) kill(pid_, SIGKILL);
    if (now > deadline + kKilledMayTake) {
      callbacks_.error("the agent, process " + std::to_string(pid_) +
                       ", does not end: it waits for a disk that does not answer");
      break;
    }
    std::vector<pollfd> fds;  // at the end many flows are written at once
    add_to(fds);
    poll(fds.data(), fds.size(), 2);
    hear_words();
    pass_output();
  }
  end_of_process();
  return ended > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace nids
