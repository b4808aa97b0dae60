// SPDX-License-Identifier: Apache-2.0
// Writes EVE lines. A replay writes synchronously. The live agent uses a thread, because it must
// not wait for a disk.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "nids/abi/counters.h"

namespace nids {

// All calls are thread-safe, except start_thread(): call it before there is a second thread.
class EveWriter {
 public:
  static constexpr std::size_t kQueue_bytes = 16 << 20;

  explicit EveWriter(int fd);  // owns it; see EveLog. -1: no file yet, so lines are lost
  EveWriter(EveWriter&&) noexcept;
  EveWriter& operator=(EveWriter&&) = delete;
  // Drops queued lines without counting them. Call finish() first.
  ~EveWriter();

  // From now on write() never waits; lines beyond kQueue_bytes are lost. At `rotate_bytes` (0:
  // never) the thread pauses until replace() or keep_file(), for at most a second. Returns false if
  // no thread can be started; write() then stays synchronous.
  [[nodiscard]] bool start_thread(std::uint64_t rotate_bytes);

  // Raises eve_lines or eve_lost once the line is written or lost. The counters must outlive this.
  void write(std::string_view line, nids_agent_counters& counters);

  void replace(int fd);  // takes ownership; later lines go to this file
  void keep_file();      // no new file is available; go on with this one

  // Readable for an edge-triggered epoll each time the thread pauses for another file.
  int pause_fd() const;

  // Of the file; 0 where it has no end, as a pipe.
  std::uint64_t end_bytes() const;
  bool degraded() const;  // the last line was lost, or there is no file

  // For shutdown, when only one thread is left: until `deadline`, write() and finish() wait for the
  // disk and call `meanwhile` repeatedly. finish() counts the lines that are still queued as lost.
  using Clock = std::chrono::steady_clock;
  void wait_until(Clock::time_point deadline, std::function<void()> meanwhile);
  void finish();

 private:
  class Thread;
  std::unique_ptr<Thread> thread_;
};

}  // namespace nids
