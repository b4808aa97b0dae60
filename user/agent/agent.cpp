// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.hpp"

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>

#include "agent/flow_scans.hpp"
#include "agent/ring_loss.hpp"
#include "kernel/ring.hpp"
#include "source/live_tables.hpp"

namespace nids {
namespace {

// Records wait for this at most where the kernel forces no wake-up, an alert half of it on average;
// and clients for each piece of an answer.
constexpr int kLookEvery_ms = 20, kAnswerEvery_ms = 2;
// Of each round, what clients may have of it: less while more records wait.
constexpr auto kAnswers = std::chrono::milliseconds(2);
constexpr auto kAnswersInAFlood = std::chrono::microseconds(250);
constexpr auto kEndMayTake = std::chrono::seconds(5);
constexpr auto kEveMayTake = std::chrono::seconds(4);  // at the end; less than the parent waits
constexpr auto kHousekeepingEvery = std::chrono::milliseconds(250);

std::int64_t clock_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

ClockOffset read_clock_offset() { return {clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC)}; }

void look_for_loss(const Watched& one) {
  note_ring_loss({&one.tables.counters[0], one.tables.info.cpus},
                 static_cast<std::uint64_t>(clock_ns(CLOCK_MONOTONIC)), *one.counters.get());
}

// Readable where one of them is.
Result<Fd> epoll_of(const RingReader& rings, const ParentLink& parent, const Control* control) {
  Fd epoll{epoll_create1(EPOLL_CLOEXEC)};
  const auto add = [&](int fd, std::uint32_t events) {
    epoll_event event{.events = events, .data = {.fd = fd}};
    return epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) == 0;
  };
  // A client that can't be let in stays readable.
  if (!epoll || !add(rings.fd(), EPOLLIN) || !add(parent.fd(), EPOLLIN) ||
      (control && !add(control->fd(), EPOLLIN | EPOLLET)))
    return Error{.action = "wait for records", .error_number = errno};
  return epoll;
}

}  // namespace

Result<void> run_agent(const std::vector<Watched>& interfaces, const TickSample& ticks,
                       Pipeline& pipeline, Control* control, ParentLink& parent) {
  RingReader rings;
  ClockOffset clock = read_clock_offset();
  pipeline.set_clock(clock);
  for (const Watched& one : interfaces) pipeline.watch(tables_of(one.tables), *one.counters.get());
  const auto tick_clock = [&] {
    const MonoTime now{static_cast<std::uint64_t>(clock_ns(CLOCK_MONOTONIC))};
    return TickClock{
        .now_ticks = ticks.ticks_at(now), .tick_ns = ticks.tick_ns, .now = clock.wall(now)};
  };
  FlowScans scans([&](std::size_t slots) { return pipeline.scan_some(tick_clock(), slots); },
                  [&](std::size_t flows) { return pipeline.report_some(flows); });
  const auto each = [&](void (Pipeline::*what)(nids_agent_counters&)) {
    // What counts for all interfaces goes to the first. Nobody reads those of one that was
    // detached.
    for (const bool is_detached : {false, true})
      for (const Watched& one : interfaces)
        if ((__atomic_load_n(&one.counters->pid, __ATOMIC_RELAXED) == 0) == is_detached)
          (pipeline.*what)(*one.counters.get());
  };
  for (const Watched& one : interfaces)
    for (const Fd& ring : one.rings) {
      auto added = rings.add(ring.get(), [&, own = one.counters.get()](auto record) {
        pipeline.record(record, clock, *own);
      });
      if (!added) return added;
    }

  const auto epoll = epoll_of(rings, parent, control);
  if (!epoll) return epoll.error();

  const auto beat = [&] {
    for (const Watched& one : interfaces)
      __atomic_store_n(&one.counters->heartbeat_ns, monotonic_now().ns, __ATOMIC_RELAXED);
  };
  beat();
  bool has_told = false;  // that it has enough
  auto next_housekeeping = std::chrono::steady_clock::now() + kHousekeepingEvery;
  pipeline.after_eve_line([&] { parent.look_at_eve(pipeline); });
  if (!parent.tell_running())
    return Error{.action = "tell that the agent runs", .error_number = errno};
  // Programs are mostly gone before the end comes, so what is in the rings then is all there will
  // be; but where the parent was killed they go on, so this too has an end.
  auto last_moment = std::chrono::steady_clock::time_point::max();
  const auto may_go_on = [&] { return std::chrono::steady_clock::now() < last_moment; };
  int wait_ms = 0;
  for (bool is_ending = false, has_more = false; !is_ending || (has_more && may_go_on());) {
    std::array<epoll_event, 3> events;
    const int ready = epoll_wait(epoll->get(), events.data(), events.size(), wait_ms);
    if (ready < 0 && errno != EINTR)
      return Error{.action = "wait for records", .error_number = errno};
    for (int i = 0; i < ready; ++i)
      if (events[static_cast<std::size_t>(i)].data.fd == parent.fd()) parent.hear_all(pipeline);
    if (parent.is_ending() && !is_ending) {
      is_ending = true;
      last_moment = std::chrono::steady_clock::now() + kEndMayTake;
    }
    parent.look_at_eve(pipeline);  // a thread writes it: it may be full at any time
    auto taken = rings.consume();
    if (!taken) return taken.error();
    has_more = *taken;
    if (pipeline.has_enough() && !has_told) has_told = parent.tell_enough();
    if (const auto now = std::chrono::steady_clock::now(); now >= next_housekeeping) {
      next_housekeeping = now + kHousekeepingEvery;
      clock = read_clock_offset();
      pipeline.set_clock(clock);
      each(&Pipeline::flush);
      parent.look_at_collector(pipeline);
      beat();
      for (const Watched& one : interfaces) look_for_loss(one);
    }
    scans.go_on(has_more);
    pipeline.tick(tick_clock().now);
    if (control) control->poll(has_more ? kAnswersInAFlood : kAnswers);
    const bool is_answering = control && control->is_answering();
    wait_ms = has_more || scans.is_under_way() ? 0 : is_answering ? kAnswerEvery_ms : kLookEvery_ms;
  }
  pipeline.wait_for_eve(std::chrono::steady_clock::now() + kEveMayTake,
                        [&] { parent.look_at_eve(pipeline); });
  pipeline.end_flows(tick_clock());
  each(&Pipeline::finish);
  return {};
}

}  // namespace nids
