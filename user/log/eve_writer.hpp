// SPDX-License-Identifier: Apache-2.0
// Writes EVE lines: at once for a replay, which may wait for its disk, or in a thread of its own
// for an agent, which may not.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "nids/abi/counters.h"

namespace nids {

// All calls come from one thread.
class EveWriter {
 public:
  static constexpr std::size_t kQueue_bytes = 16 << 20;

  explicit EveWriter(int fd);  // owns it; see EveLog
  EveWriter(EveWriter&&) noexcept;
  EveWriter& operator=(EveWriter&&) = delete;
  // Gives up what still waits, without a counter: see finish().
  ~EveWriter();

  // From now on write() does not wait for the disk; lines beyond kQueue_bytes are lost. A file of
  // `rotate_bytes` (0: any) is not continued before replace() or keep_file(), but for a second at
  // most. False: there is no thread to be had, and write() goes on as before.
  [[nodiscard]] bool start_thread(std::uint64_t rotate_bytes);

  // Raises eve_lines or eve_lost, now or when the line is written; the counters outlive this.
  void write(std::string_view line, nids_agent_counters& counters);

  void replace(int fd);  // lines go on in this file, which is owned
  void keep_file();      // no other is to be had

  // Of the file; 0 where it has no end, as a pipe.
  std::uint64_t end_bytes() const;
  bool degraded() const;  // the last line was lost

  // For the end: until `deadline` write() and finish() wait for the disk, and call `meanwhile` all
  // the time. What finish() then finds unwritten is lost.
  using Clock = std::chrono::steady_clock;
  void wait_until(Clock::time_point deadline, std::function<void()> meanwhile);
  void finish();

 private:
  class Thread;
  std::unique_ptr<Thread> thread_;
};

}  // namespace nids
