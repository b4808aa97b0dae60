// SPDX-License-Identifier: Apache-2.0
// Merges the host events of all workers and gives them to the host analysers, one tick at a time,
// sorted by key, so that alerts do not depend on how threads were scheduled. Runs in a thread of
// its own, or inline.
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

// The host events of one worker in one tick.
struct HostBatch {
  std::uint64_t tick = 0;  // rises from batch to batch of a worker
  WallTime now;            // at the end of the tick
  std::vector<HostEvent> events;
};

class Correlator {
 public:
  struct Limits {
    std::size_t batches = 16;   // in the queue of a worker
    std::size_t alerts = 1024;  // waiting for take_alerts(); more are lost, and counted
  };
  Correlator(std::vector<std::unique_ptr<HostAnalyser>> analysers, std::size_t workers,
             Limits limits);
  ~Correlator();
  Correlator(const Correlator&) = delete;

  // Starts the thread that does the work. Without it offer() does the work. Returns false if the
  // thread cannot be started.
  bool start_thread();

  // Called by the thread of a worker; never waits. Each worker submits a batch for each tick, even
  // an empty one, because a tick is processed when all workers have submitted it. Returns false if
  // the queue is full: the worker keeps the batch and adds the next tick to it. Otherwise `batch`
  // is empty afterwards and has the memory of an earlier batch.
  [[nodiscard]] bool offer(std::size_t worker, HostBatch& batch);
  // Call when no more batches come. Processes what is queued, without waiting for other workers.
  void finish();

  // The alerts since the last call.
  std::vector<Alert> take_alerts();

  struct Counts {
    std::uint64_t alerts_lost = 0, evictions = 0;
  };
  Counts counts() const;

 private:
  void run();
  // The batches of the first complete tick; empty if no tick is complete.
  std::vector<HostBatch> next_tick(bool is_last);
  void work_off(std::vector<HostBatch> batches);

  std::vector<std::unique_ptr<HostAnalyser>> analysers_;  // once there is a thread: its own
  Limits limits_;
  std::mutex inline_mutex_;   // without a thread: one worker at a time does the work
  mutable std::mutex mutex_;  // guards all below; held for moves only
  std::condition_variable changed_;
  std::vector<std::deque<HostBatch>> queues_;  // by worker
  std::vector<std::vector<HostEvent>> spare_;  // processed batches, for their memory
  std::vector<Alert> alerts_;
  Counts counts_;
  bool is_ending_ = false;
  std::thread thread_;
};

}  // namespace nids
