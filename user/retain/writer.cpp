// SPDX-License-Identifier: Apache-2.0
#include "retain/writer.hpp"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <variant>

namespace nids {
namespace {

constexpr std::size_t kJobBytes = 512;  // that a job takes beside what it writes, about

struct Close {
  std::shared_ptr<SegmentFile> file;
  SegmentName name;
};
struct Commit {};
using Job = std::variant<Chunk, Close, Removal, IndexedAlert, Commit>;

std::size_t weight_of(const Job& job) {
  const auto* chunk = std::get_if<Chunk>(&job);
  if (!chunk) return kJobBytes;
  const std::size_t spans = chunk->piece ? chunk->piece->spans.size() : 0;
  return kJobBytes * (1 + spans) + chunk->bytes.size();
}

}  // namespace

void Share::begin_waiting(const nids_sum& more) const {
  __atomic_fetch_add(&counters->waiting.packets, more.packets, __ATOMIC_RELAXED);
  __atomic_fetch_add(&counters->waiting.bytes, more.bytes, __ATOMIC_RELAXED);
}

void Share::end_waiting() const {
  __atomic_fetch_sub(&counters->waiting.packets, kept.packets, __ATOMIC_RELAXED);
  __atomic_fetch_sub(&counters->waiting.bytes, kept.bytes, __ATOMIC_RELAXED);
}

class Writer::Thread {
 public:
  Thread(const Settings& settings, std::unique_ptr<Index> index)
      : settings_(settings), index_(std::move(index)), thread_([this] { run(); }) {}
  ~Thread() {
    {
      const std::lock_guard lock(mutex_);
      is_ending_ = true;
    }
    has_work_.notify_one();
    thread_.join();
  }

  bool has_room(std::size_t bytes) const {
    const std::lock_guard lock(mutex_);
    return waiting_bytes_ == 0 || waiting_bytes_ + bytes <= settings_.max_waiting_bytes;
  }
  std::size_t waiting_bytes() const {
    const std::lock_guard lock(mutex_);
    return waiting_bytes_;
  }
  void wait_for_room(std::size_t bytes) const {
    std::unique_lock lock(mutex_);
    is_done_.wait(lock, [&] {
      return waiting_bytes_ == 0 || waiting_bytes_ + bytes <= settings_.max_waiting_bytes;
    });
  }
  void wait() const {
    std::unique_lock lock(mutex_);
    is_done_.wait(lock, [&] { return waiting_bytes_ == 0; });
  }

  void tell(Job job) {
    {
      const std::lock_guard lock(mutex_);
      waiting_bytes_ += weight_of(job);
      jobs_.push_back(std::move(job));
    }
    has_work_.notify_one();
  }

  bool has_bad_news() const { return has_bad_news_.load(std::memory_order_relaxed); }
  Done collect() {
    const std::lock_guard lock(mutex_);
    has_bad_news_.store(false, std::memory_order_relaxed);
    const std::uint64_t index_bytes = done_.index_bytes;
    return std::exchange(done_, Done{.index_bytes = index_bytes});
  }

 private:
  void run();
  void work(Job& job);
  void operator()(Chunk& chunk);
  void operator()(Close& close);
  void operator()(Removal& removal);
  void operator()(IndexedAlert& alert);
  void operator()(Commit&);

  void index(const Result<void>& result);

  const Settings settings_;
  std::unique_ptr<Index> index_;   // null: there is none, or no longer
  std::set<SegmentFile*> broken_;  // a write failed: nothing may follow it

  std::atomic<bool> has_bad_news_ = false;
  mutable std::mutex mutex_;  // of all below
  std::condition_variable has_work_;
  mutable std::condition_variable is_done_;
  std::deque<Job> jobs_;
  std::size_t waiting_bytes_ = 0;  // of jobs not done
  Done done_;
  bool is_ending_ = false;

  std::thread thread_;  // last: it uses all of them
};

void Writer::Thread::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    has_work_.wait(lock, [&] { return is_ending_ || !jobs_.empty(); });
    if (jobs_.empty()) break;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    const std::size_t weight = weight_of(job);
    lock.unlock();
    std::visit([this](auto& one) { (*this)(one); }, job);
    lock.lock();
    waiting_bytes_ -= weight;
    is_done_.notify_all();
  }
  lock.unlock();
  Commit last;
  (*this)(last);
}

// Only what is in the file goes into the index.
void Writer::Thread::operator()(Chunk& chunk) {
  const bool may_follow = !broken_.contains(chunk.file.get());
  const bool is_written = may_follow && chunk.file->append(chunk.bytes) &&
                          (settings_.sync != Sync::kSecond || chunk.file->sync());
  if (is_written) {
    for (const Share& share : chunk.shares) share.end_waiting();
    if (index_ && chunk.piece) index(index_->add(*chunk.piece));
  } else {
    broken_.insert(chunk.file.get());
  }
  const std::lock_guard lock(mutex_);
  if (is_written) {
    done_.has_written = true;
    return;
  }
  has_bad_news_.store(true, std::memory_order_relaxed);
  done_.lost.push_back({std::move(chunk.file), std::move(chunk.segment), chunk.bytes.size(),
                        std::move(chunk.shares)});
}

void Writer::Thread::operator()(Close& close) {
  broken_.erase(close.file.get());
  if (close.file->size() == 0)
    ::unlinkat(settings_.directory_fd, close.name.file().c_str(), 0);
  else if (settings_.sync != Sync::kNever)
    close.file->sync();
  close.file.reset();
}

void Writer::Thread::operator()(Removal& removal) {
  const bool is_removed = ::unlinkat(settings_.directory_fd, removal.name.file().c_str(), 0) == 0;
  const bool is_gone = is_removed || errno == ENOENT;
  if (!is_removed && is_gone) removal.kept = {};  // somebody else's doing
  if (is_gone && index_) index(index_->remove(removal.name));
  const std::lock_guard lock(mutex_);
  if (!is_gone) has_bad_news_.store(true, std::memory_order_relaxed);
  (is_gone ? done_.removed : done_.not_removed).push_back(std::move(removal));
}

void Writer::Thread::operator()(IndexedAlert& alert) {
  if (index_) index(index_->add(alert));
}

void Writer::Thread::operator()(Commit&) {
  if (!index_) return;
  index(index_->remove_alerts_beyond(settings_.max_alerts));
  if (index_) index(index_->commit());
  const std::uint64_t bytes = index_ ? index_->used_bytes() : 0;
  const std::lock_guard lock(mutex_);
  done_.index_bytes = bytes;
}

// An index that has missed something is not gone on with: the next start reads what it lacks from
// the segments.
void Writer::Thread::index(const Result<void>& result) {
  if (result) return;
  index_.reset();
  const std::lock_guard lock(mutex_);
  done_.index_error = result.error();
}

Writer::Writer(const Settings& settings, std::unique_ptr<Index> index)
    : thread_(std::make_unique<Thread>(settings, std::move(index))) {}
Writer::~Writer() = default;

bool Writer::has_room(std::size_t bytes) const { return thread_->has_room(bytes); }
std::size_t Writer::waiting_bytes() const { return thread_->waiting_bytes(); }
void Writer::wait_for_room(std::size_t bytes) const { thread_->wait_for_room(bytes); }
void Writer::write(Chunk chunk) { thread_->tell(std::move(chunk)); }
void Writer::close(std::shared_ptr<SegmentFile> file, SegmentName name) {
  thread_->tell(Close{std::move(file), std::move(name)});
}
void Writer::remove(Removal removal) { thread_->tell(std::move(removal)); }
void Writer::note(IndexedAlert alert) { thread_->tell(std::move(alert)); }
void Writer::commit() { thread_->tell(Commit{}); }
void Writer::wait() const { thread_->wait(); }
bool Writer::has_bad_news() const { return thread_->has_bad_news(); }
Writer::Done Writer::collect() { return thread_->collect(); }

}  // namespace nids
