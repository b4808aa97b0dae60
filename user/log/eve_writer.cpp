// SPDX-License-Identifier: Apache-2.0
#include "log/eve_writer.hpp"

#include <sys/eventfd.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "log/eve.hpp"
#include "nids/fd.hpp"

namespace nids {
namespace {

constexpr auto kPauseAtMost = std::chrono::seconds(1);  // for another file
constexpr auto kLookAgain = std::chrono::milliseconds(2);

}  // namespace

// What the caller and the thread share. `log_` is the thread's while there is one. A thread that
// hangs in a disk can't be joined, so it is detached and shares ownership of the state.
class EveWriter::Thread {
 public:
  explicit Thread(int fd) : state_(std::make_shared<State>(fd)) {}
  ~Thread() {
    if (!thread_.joinable()) return;
    {
      const std::lock_guard lock(state_->mutex);
      state_->is_ending = true;
    }
    state_->changed.notify_all();
    thread_.detach();
  }

  bool start(std::uint64_t rotate_bytes) {
    state_->rotate_bytes = rotate_bytes;
    state_->log.wait_for_reader();
    try {
      thread_ = std::thread([state = state_] { state->run(); });
    } catch (const std::system_error&) {
      return false;
    }
    return true;
  }

  void write(std::string_view line, nids_agent_counters& counters) {
    if (!thread_.joinable()) {
      const std::lock_guard lock(state_->mutex);
      return state_->log.write(line, counters);
    }
    wait([&] { return state_->bytes + line.size() <= kQueue_bytes; });
    const std::lock_guard lock(state_->mutex);
    if (state_->bytes + line.size() > kQueue_bytes) {
      state_->is_full = true;
      __atomic_fetch_add(&counters.eve_lost, 1, __ATOMIC_RELAXED);
      return;
    }
    state_->is_full = false;
    state_->lines.push_back({std::string(line), &counters});
    state_->bytes += line.size();
    state_->changed.notify_all();
  }

  void replace(int fd) {
    const std::lock_guard lock(state_->mutex);
    if (!thread_.joinable()) return state_->log.replace(fd);
    state_->next_file = Fd{fd};
    state_->changed.notify_all();
  }

  void keep_file() {
    const std::lock_guard lock(state_->mutex);
    state_->is_kept = true;
    state_->changed.notify_all();
  }

  int pause_fd() const { return state_->pauses.get(); }

  std::uint64_t end_bytes() const {
    if (thread_.joinable()) return state_->end_bytes;
    const std::lock_guard lock(state_->mutex);
    return state_->log.end_bytes();
  }
  bool degraded() const {
    if (thread_.joinable()) return state_->is_full || state_->is_degraded;
    const std::lock_guard lock(state_->mutex);
    return state_->log.degraded();
  }

  void wait_until(Clock::time_point deadline, std::function<void()> meanwhile) {
    deadline_ = deadline;
    meanwhile_ = std::move(meanwhile);
  }

  void finish() {
    if (!thread_.joinable()) return;
    wait([&] { return state_->bytes == 0; });
    const std::lock_guard lock(state_->mutex);
    // The line that the thread is writing is not counted here: it may still be written.
    for (const Line& one : state_->lines)
      __atomic_fetch_add(&one.counters->eve_lost, 1, __ATOMIC_RELAXED);
    state_->lines.clear();
  }

 private:
  struct Line {
    std::string text;
    nids_agent_counters* counters;
  };

  struct State {
    explicit State(int fd) : log(fd), is_degraded(log.degraded()) {}

    void run() {
      std::unique_lock lock(mutex);
      for (;;) {
        changed.wait(lock, [&] { return is_ending || next_file || !lines.empty(); });
        if (is_ending) return;
        take_file();
        if (lines.empty()) continue;
        const Line line = std::move(lines.front());
        lines.pop_front();
        lock.unlock();
        log.write(line.text, *line.counters);
        end_bytes = log.end_bytes();
        is_degraded = log.degraded();
        lock.lock();
        bytes -= line.text.size();
        if (rotate_bytes != 0 && end_bytes >= rotate_bytes && !is_kept) pause(lock);
      }
    }

    void take_file() {
      if (!next_file) return;
      log.replace(next_file.release());
      end_bytes = log.end_bytes();
      is_degraded = log.degraded();
      is_kept = false;
    }

    // The parent may be stopped. Then the old file is used further.
    void pause(std::unique_lock<std::mutex>& lock) {
      eventfd_write(pauses.get(), 1);
      is_kept = !changed.wait_for(lock, kPauseAtMost, [&] {
        return is_ending || next_file || is_kept;
      }) || is_kept;
    }

    EveLog log;
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Line> lines;
    std::atomic<std::size_t> bytes = 0;  // of the lines, with the one that is being written
    Fd next_file;
    const Fd pauses{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    bool is_kept = false;  // the file is continued, however long it is
    bool is_ending = false;
    std::uint64_t rotate_bytes = 0;
    std::atomic<std::uint64_t> end_bytes = 0;
    std::atomic<bool> is_degraded, is_full = false;
  };

  template <class Condition>
  void wait(Condition is_so) {
    while (!is_so() && Clock::now() < deadline_) {
      if (meanwhile_) meanwhile_();
      std::this_thread::sleep_for(kLookAgain);
    }
  }

  std::shared_ptr<State> state_;
  std::thread thread_;
  Clock::time_point deadline_{};
  std::function<void()> meanwhile_;
};

EveWriter::EveWriter(int fd) : thread_(std::make_unique<Thread>(fd)) {}
EveWriter::EveWriter(EveWriter&&) noexcept = default;
EveWriter::~EveWriter() = default;

bool EveWriter::start_thread(std::uint64_t rotate_bytes) { return thread_->start(rotate_bytes); }
void EveWriter::write(std::string_view line, nids_agent_counters& counters) {
  thread_->write(line, counters);
}
void EveWriter::replace(int fd) { thread_->replace(fd); }
void EveWriter::keep_file() { thread_->keep_file(); }
int EveWriter::pause_fd() const { return thread_->pause_fd(); }
std::uint64_t EveWriter::end_bytes() const { return thread_->end_bytes(); }
bool EveWriter::degraded() const { return thread_->degraded(); }
void EveWriter::wait_until(Clock::time_point deadline, std::function<void()> meanwhile) {
  thread_->wait_until(deadline, std::move(meanwhile));
}
void EveWriter::finish() { thread_->finish(); }

}  // namespace nids
