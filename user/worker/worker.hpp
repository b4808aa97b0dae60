// SPDX-License-Identifier: Apache-2.0
// A thread that takes records from one ring of every interface and gives them to its pipeline. In
// between it reads its part of the flow tables. Needs no privilege.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "kernel/flow_maps.hpp"
#include "kernel/ring.hpp"
#include "nids/result.hpp"
#include "worker/fair_mutex.hpp"
#include "worker/flow_scans.hpp"
#include "worker/flow_shard.hpp"
#include "worker/pipeline.hpp"

namespace nids {

class Worker {
 public:
  // An interface with a ring for this worker. Ring, tables and counters must outlive the worker.
  struct Source {
    int ring_fd = -1;
    FlowTables tables;
    nids_agent_counters* counters = nullptr;  // of this worker alone
  };

  // `ticks` was taken at any earlier moment. `pipeline` must outlive the worker.
  [[nodiscard]] static Result<std::unique_ptr<Worker>> make(const std::vector<Source>& sources,
                                                            const TickSample& ticks,
                                                            Pipeline& pipeline);
  Worker(const Worker&) = delete;
  ~Worker();  // ends the thread

  [[nodiscard]] Result<void> start();
  // The thread takes what the rings hold, at most until `deadline`, and ends. Does not wait for
  // that.
  void ask_end(std::chrono::steady_clock::time_point deadline);
  void join();
  bool has_ended() const { return has_ended_; }  // or was not started
  // Reports all flows. Call it after join().
  void end_flows() { pipeline_.end_flows(tick_clock()); }
  // Why the thread ended early; valid after join().
  const std::optional<Error>& error() const { return error_; }

  FlowShard flows() { return {&pipeline_.flows(), &mutex_}; }
  // Rises with every round, so it shows whether the worker hangs.
  std::uint64_t rounds() const { return rounds_; }
  // The last round that emptied the rings; 0 if there was none.
  std::uint64_t last_emptying_round() const { return last_emptying_round_; }
  bool has_more() const { return has_more_; }  // records waited after the last round

 private:
  Worker(const std::vector<Source>& sources, const TickSample& ticks, Pipeline& pipeline);
  void run();
  TickClock tick_clock() const;
  bool look(std::size_t slots);
  bool report(std::size_t flows);
  void housekeeping();

  const std::vector<Source> sources_;
  const TickSample ticks_;
  Pipeline& pipeline_;
  RingReader rings_;
  ClockOffset clock_;
  FlowScans scans_;
  std::chrono::steady_clock::time_point next_housekeeping_{};
  FairMutex mutex_;  // held while the thread works, but not while it waits for records
  std::atomic<std::uint64_t> rounds_ = 0, last_emptying_round_ = 0;
  std::atomic<bool> has_more_ = false, is_ending_ = false, has_ended_ = true;
  std::atomic<std::chrono::steady_clock::time_point> deadline_{};
  Fd wake_;  // an eventfd
  Fd epoll_;
  std::optional<Error> error_;
  std::thread thread_;
};

}  // namespace nids
