// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <utility>

#include "agent/class_exchange.hpp"
#include "agent/class_table.hpp"
#include "agent/host_alerts.hpp"
#include "agent/ring_loss.hpp"
#include "agent/settings.hpp"
#include "analyse/host/correlator.hpp"
#include "source/live_tables.hpp"
#include "worker/worker.hpp"

namespace nids {
namespace {

using Clock = std::chrono::steady_clock;

// The longest waits: while there is nothing to do, of clients that follow flows, and of clients for
// each piece of an answer. The parent, a new client and a full EVE file end a wait.
constexpr int kLookEvery_ms = 100, kFollowersWait_ms = 20, kAnswerEvery_ms = 2;
// The time for clients in each round: less while records wait.
constexpr auto kAnswers = std::chrono::milliseconds(2);
constexpr auto kAnswersInAFlood = std::chrono::microseconds(250);
constexpr auto kEndMayTake = std::chrono::seconds(5);
constexpr auto kEveMayTake = std::chrono::seconds(4);  // at the end; less than the parent waits
constexpr auto kHousekeepingEvery = std::chrono::milliseconds(250);

WallTime wall_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return {static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(now).count())};
}

// The control thread, and the workers that it started.
class Agent {
 public:
  explicit Agent(AgentParts parts)
      : parts_(std::move(parts)),
        workers_count_(number_of_workers(parts_.interfaces)),
        correlator_(host_analysers(parts_.config), workers_count_, {}),
        quota_(std::move(parts_.selection)),
        host_alerts_(correlator_, parts_.outputs, quota_),
        class_exchange_(parts_.config, parts_.outputs) {}

  Result<void> run();

 private:
  Result<void> make_workers();
  Result<void> make_epoll();
  Result<void> start();
  Result<void> watch();
  Result<void> end();
  void housekeeping();
  void beat();
  void write_heartbeat();
  void take_classes();
  int longest_wait_ms() const;

  AgentParts parts_;
  const std::size_t workers_count_;
  Correlator correlator_;
  Quota quota_;
  HostAlerts host_alerts_;
  ClassExchange class_exchange_;
  std::vector<std::unique_ptr<Pipeline>> pipelines_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::optional<Control> control_;
  Fd epoll_;
  std::vector<std::uint64_t> rounds_;  // of each worker, at the last beat
};

Result<void> Agent::make_workers() {
  for (std::size_t number = 0; number < workers_count_; ++number) {
    pipelines_.push_back(std::make_unique<Pipeline>(
        pipeline_settings(parts_.config, parts_.outputs.keeps_packets(), workers_count_,
                          class_rules(parts_.config, parts_.classes), parts_.links),
        number, Pipeline::Shared{parts_.outputs, correlator_, quota_, parts_.steer}));
    std::vector<Worker::Source> sources;
    for (const Watched& one : parts_.interfaces) {
      if (number >= one.rings.size()) continue;
      sources.push_back({.ring_fd = one.rings[number].get(),
                         .tables = tables_of(one.tables),
                         .counters = &one.counters[1 + number]});
      sources.back().tables.rings = one.tables.info.rings;
    }
    auto worker = Worker::make(sources, parts_.ticks, *pipelines_.back());
    if (!worker) return worker.error();
    workers_.push_back(std::move(*worker));
  }
  return {};
}

Result<void> Agent::make_epoll() {
  epoll_ = Fd{epoll_create1(EPOLL_CLOEXEC)};
  const auto add = [&](int fd, std::uint32_t events) {
    epoll_event event{.events = events, .data = {.fd = fd}};
    return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
  };
  // Edge-triggered, because the listener stays readable while a client cannot be accepted.
  if (!epoll_ || !add(parts_.parent.fd(), EPOLLIN) ||
      (control_ && !add(control_->fd(), EPOLLIN | EPOLLET)) ||
      (parts_.outputs.eve() && !add(parts_.outputs.eve()->pause_fd(), EPOLLIN | EPOLLET)))
    return Error{.action = "wait for the parent", .error_number = errno};
  return {};
}

Result<void> Agent::run() {
  if (!correlator_.start_thread())
    parts_.warning("cannot start the thread that looks for scans; the workers do its work");
  if (auto made = make_workers(); !made) return made;
  if (parts_.control_listener) {
    std::vector<FlowShard> flows;
    for (const auto& one : workers_) flows.push_back(one->flows());
    control_.emplace(std::move(parts_.control_listener), std::move(flows), parts_.outputs.names(),
                     parts_.outputs.changes(), Control::Limits{});
  }
  if (auto made = make_epoll(); !made) return made;
  auto result = start();
  if (result) result = watch();
  auto ended = end();
  return result ? ended : result;
}

Result<void> Agent::start() {
  for (const auto& one : workers_)
    if (auto started = one->start(); !started) return started;
  rounds_.resize(workers_.size());
  write_heartbeat();
  if (!parts_.parent.tell_running())
    return Error{.action = "report to the parent that the agent runs", .error_number = errno};
  return {};
}

Result<void> Agent::watch() {
  bool has_told = false;  // the parent, that the quota is reached
  auto next_housekeeping = Clock::now() + kHousekeepingEvery;
  for (int wait_ms = 0; !parts_.parent.is_ending();) {
    std::array<epoll_event, 3> events;
    const int ready = epoll_wait(epoll_.get(), events.data(), events.size(), wait_ms);
    if (ready < 0 && errno != EINTR)
      return Error{.action = "wait for the parent", .error_number = errno};
    parts_.parent.hear_all(parts_.outputs);
    parts_.parent.look_at_eve(parts_.outputs);
    take_classes();
    host_alerts_.raise();
    if (quota_.has_enough() && !has_told) has_told = parts_.parent.tell_enough();
    if (const auto now = Clock::now(); now >= next_housekeeping) {
      next_housekeeping = now + kHousekeepingEvery;
      housekeeping();
    }
    if (std::ranges::any_of(workers_, &Worker::has_ended)) return {};  // by an error
    const bool is_flood = std::ranges::any_of(workers_, &Worker::has_more);
    if (control_) control_->poll(is_flood ? kAnswersInAFlood : kAnswers);
    wait_ms = longest_wait_ms();
  }
  return {};
}

void Agent::take_classes() {
  if (auto next = parts_.parent.take_classes())
    class_exchange_.begin(next->number, std::move(next->classes), workers_);
  if (!class_exchange_.is_due(workers_)) return;
  const std::uint32_t number = class_exchange_.finish(workers_, pipelines_);
  parts_.classes_changed(class_exchange_.classes());
  parts_.parent.tell_classes_taken(number);
}

int Agent::longest_wait_ms() const {
  if (class_exchange_.is_under_way()) return kAnswerEvery_ms;
  if (control_ && control_->is_answering()) return kAnswerEvery_ms;
  return parts_.outputs.changes().is_followed() ? kFollowersWait_ms : kLookEvery_ms;
}

void Agent::housekeeping() {
  host_alerts_.count();
  parts_.outputs.flush(wall_now());
  parts_.parent.look_at_collector(parts_.outputs);
  beat();
  for (const Watched& one : parts_.interfaces)
    note_ring_loss({&one.tables.counters[0], one.tables.info.cpus}, monotonic_now().ns,
                   one.counters[0]);
}

// Says that the agent lives only once each worker has made a round since the last time.
void Agent::beat() {
  std::vector<std::uint64_t> rounds;
  for (const auto& one : workers_) rounds.push_back(one->rounds());
  for (std::size_t i = 0; i < rounds.size(); ++i)
    if (rounds[i] == rounds_[i]) return;
  rounds_ = std::move(rounds);
  write_heartbeat();
}

void Agent::write_heartbeat() {
  for (const Watched& one : parts_.interfaces)
    __atomic_store_n(&one.counters[0].heartbeat_ns, monotonic_now().ns, __ATOMIC_RELAXED);
}

// In this order: the rings, then the flows, then the outputs. From the second on this is the only
// thread that works.
Result<void> Agent::end() {
  for (const auto& one : workers_) one->ask_end(Clock::now() + kEndMayTake);
  while (!std::ranges::all_of(workers_, &Worker::has_ended)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    parts_.parent.look_at_eve(parts_.outputs);
    host_alerts_.raise();
  }
  control_.reset();
  Result<void> result;
  for (const auto& one : workers_) {
    one->join();
    if (one->error()) result = *one->error();
  }
  correlator_.finish();  // no batch is refused after it
  if (EveOutput* eve = parts_.outputs.eve())
    eve->wait_until(Clock::now() + kEveMayTake, [&] { parts_.parent.look_at_eve(parts_.outputs); });
  for (const auto& one : workers_) one->end_flows();
  host_alerts_.finish(pipelines_);
  parts_.outputs.finish(wall_now());
  return result;
}

}  // namespace

std::size_t number_of_workers(const std::vector<Watched>& interfaces) {
  std::size_t rings = 1;
  for (const Watched& one : interfaces) rings = std::max(rings, one.rings.size());
  return rings;
}

Result<void> run_agent(AgentParts parts) { return Agent(std::move(parts)).run(); }

}  // namespace nids
