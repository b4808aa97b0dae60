// SPDX-License-Identifier: Apache-2.0
// Gives the host analysers what the workers saw, one tick at a time, sorted by key, so that alerts
// do not depend on how threads ran. With a thread of its own or inline.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "analyse/host/host_analyser.hpp"

namespace nids {

// What one worker saw in one tick.
struct HostBatch {
  std::uint64_t tick = 0;  // in each worker, higher than that of the batch before
  WallTime now;            // at the end of the tick
  std::vector<HostEvent> events;
};

class Correlator {
 public:
  struct Limits {
    std::size_t batches = 16;   // of a worker that wait
    std::size_t alerts = 1024;  // that wait to be taken; beyond it new ones are lost, and counted
  };
  Correlator(std::vector<std::unique_ptr<HostAnalyser>> analysers, std::size_t workers,
             Limits limits);
  ~Correlator();
  Correlator(const Correlator&) = delete;

  // From now on a thread works; before, offer() does all. Returns whether there is one.
  bool start_thread();

  // By the thread of a worker, which never waits. Each worker gives a batch for each tick, even an
  // empty one: a tick is worked off when all have given it. False: there is no room, and the batch
  // stays with its worker, which adds the next tick to it.
  [[nodiscard]] bool offer(std::size_t worker, HostBatch& batch);
  // That there are no more batches: what waits is worked off, without waiting for other workers.
  void finish();

  // The alerts so far, each once.
  std::vector<Alert> take_alerts();

  struct Counts {
    std::uint64_t alerts_lost = 0, evictions = 0;
  };
  Counts counts() const;

 private:
  void run();
  // Of the first tick that is complete; empty: there is none.
  std::vector<HostBatch> next_tick(bool is_last);
  void work_off(std::vector<HostBatch> batches);

  std::vector<std::unique_ptr<HostAnalyser>> analysers_;  // the thread's, once there is one
  Limits limits_;
  mutable std::mutex mutex_;  // of all below; held for moves only
  std::condition_variable changed_;
  std::vector<std::deque<HostBatch>> queues_;  // by worker
  std::vector<Alert> alerts_;
  Counts counts_;
  bool is_ending_ = false;
  std::thread thread_;
};

}  // namespace nids
