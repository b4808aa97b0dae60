// SPDX-License-Identifier: Apache-2.0
#include "retain/writer.hpp"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <system_error>
#include <thread>
#include <utility>
#include <variant>

#include "nids/sum.hpp"

namespace nids {
namespace {

constexpr std::size_t kJobBytes = 512;  // that a job takes beside what it writes, about

struct Close {
  std::shared_ptr<SegmentFile> file;
  SegmentName name;
};
struct Commit {
  bool is_last = false;
};
using Job = std::variant<Chunk, Close, Removal, IndexedAlert, Commit>;

std::size_t weight_of_job(const Job& job) {
  if (const auto* chunk = std::get_if<Chunk>(&job))
    return weight_of(chunk->bytes.size(), chunk->contents ? &*chunk->contents : nullptr);
  if (const auto* alert = std::get_if<IndexedAlert>(&job)) return kJobBytes + weight_of(*alert);
  return kJobBytes;
}

}  // namespace

std::size_t weight_of(std::size_t bytes, const Contents* contents) {
  return kJobBytes + bytes + (contents ? contents->weight() : 0);
}

class Writer::Thread {
 public:
  // Throws std::system_error where there is no thread to be had, and leaves the index alone.
  Thread(const Settings& settings, std::unique_ptr<Index>& index)
      : settings_(settings),
        index_({.max_alerts = settings.max_alerts,
                .max_bytes = settings.max_waiting_bytes,
                .retry_after = settings.retry_index_after}),
        thread_([this] { run(); }) {
    index_.use(std::move(index));  // before there is a job that it looks at
  }
  ~Thread() {
    {
      const std::lock_guard lock(mutex_);
      is_ending_ = true;
    }
    has_work_.notify_one();
    thread_.join();
  }

  bool has_room(std::size_t weight) const {
    const std::lock_guard lock(mutex_);
    return takes(weight);
  }
  std::size_t waiting_bytes() const {
    const std::lock_guard lock(mutex_);
    return waiting_bytes_;
  }
  void wait_for_room(std::size_t weight) const {
    std::unique_lock lock(mutex_);
    is_done_.wait(lock, [&] { return takes(weight); });
  }
  void wait() const {
    std::unique_lock lock(mutex_);
    is_done_.wait(lock, [&] { return waiting_bytes_ == 0; });
  }

  void tell(Job job) {
    {
      const std::lock_guard lock(mutex_);
      const std::size_t weight = weight_of_job(job);
      waiting_bytes_ += weight;
      jobs_.push_back({std::move(job), weight});
    }
    has_work_.notify_one();
  }

  bool has_bad_news() const { return has_bad_news_.load(std::memory_order_relaxed); }
  Done collect() {
    const std::lock_guard lock(mutex_);
    has_bad_news_.store(false, std::memory_order_relaxed);
    Done now{.is_index_behind = done_.is_index_behind, .index_bytes = done_.index_bytes};
    return std::exchange(done_, std::move(now));
  }

 private:
  struct Waiting {
    Job job;
    std::size_t weight;
  };
  bool takes(std::size_t weight) const {
    return waiting_bytes_ == 0 || waiting_bytes_ + weight <= settings_.max_waiting_bytes;
  }
  void run();
  void operator()(Chunk& chunk);
  void operator()(Close& close);
  void operator()(Removal& removal);
  void operator()(IndexedAlert& alert);
  void operator()(Commit& commit);

  bool append(Chunk& chunk);
  void sync(SegmentFile& file);
  void tell_of_index();
  void warn(const Error& error);

  const Settings settings_;
  IndexQueue index_;
  std::map<SegmentFile*, std::uint64_t> broken_;  // a write failed: nothing may follow; its end
  std::set<SegmentName> lossy_;                   // a chunk of theirs was lost
  std::set<std::string> warned_;

  std::atomic<bool> has_bad_news_ = false;
  mutable std::mutex mutex_;  // of all below
  std::condition_variable has_work_;
  mutable std::condition_variable is_done_;
  std::deque<Waiting> jobs_;
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
    Waiting next = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    std::visit([this](auto& one) { (*this)(one); }, next.job);
    tell_of_index();
    lock.lock();
    waiting_bytes_ -= next.weight;
    is_done_.notify_all();
  }
  lock.unlock();
  index_.end();
}

// False: it is not in the file, where nothing may follow then.
bool Writer::Thread::append(Chunk& chunk) {
  const std::uint64_t before = chunk.file->size();
  if (!broken_.contains(chunk.file.get())) {
    if (chunk.file->append(chunk.bytes)) return true;
    warn({.action = "write packets that are to be kept", .error_number = chunk.file->error()});
  }
  broken_.try_emplace(chunk.file.get(), before);
  lossy_.insert(chunk.segment);
  return false;
}

// Only what is in the file goes into the index.
void Writer::Thread::operator()(Chunk& chunk) {
  const std::uint64_t before = chunk.file->size();
  const bool is_written = append(chunk);
  if (is_written)
    for (const Share& share : chunk.shares) add_atomically(share.counters->written, share.kept);
  if (chunk.contents) {
    const std::uint64_t end = is_written ? chunk.file->size() : broken_.at(chunk.file.get());
    index_.add(std::move(*chunk.contents).piece(chunk.segment, end));
  }
  if (is_written && settings_.sync == Sync::kSecond) sync(*chunk.file);
  const std::uint64_t left = chunk.file->size() - before, bytes = chunk.bytes.size();
  if (settings_.buffers) settings_.buffers->give(std::move(chunk.bytes));
  const std::lock_guard lock(mutex_);
  if (is_written) {
    done_.has_written = true;
    return;
  }
  has_bad_news_.store(true, std::memory_order_relaxed);
  done_.lost.push_back(
      {std::move(chunk.file), std::move(chunk.segment), bytes - left, std::move(chunk.shares)});
}

void Writer::Thread::operator()(Close& close) {
  broken_.erase(close.file.get());
  if (close.file->size() == 0) {
    // Without this check, unlinkat() could delete a file that the store did not create.
    if (close.file->is_created()) ::unlinkat(settings_.directory_fd, close.name.file().c_str(), 0);
    lossy_.erase(close.name);
  } else if (settings_.sync != Sync::kNever) {
    sync(*close.file);
  }
  close.file.reset();
}

void Writer::Thread::operator()(Removal& removal) {
  const bool is_counted = !lossy_.contains(removal.name);
  // First: a process that is killed in the call still ends it.
  if (is_counted) add_atomically(removal.counters->deleted_by_policy, removal.kept);
  removal.was_there = ::unlinkat(settings_.directory_fd, removal.name.file().c_str(), 0) == 0;
  const int error = errno;
  const bool is_gone = removal.was_there || error == ENOENT;
  if (is_counted && !removal.was_there)
    take_atomically(removal.counters->deleted_by_policy, removal.kept);
  removal.is_counted = is_counted && removal.was_there;
  if (is_gone) lossy_.erase(removal.name);
  if (is_gone)
    index_.remove(removal.name);
  else
    warn({.action = "remove what the budget of packets has no room for",
          .error_number = error,
          .hint = "it stays, and counts"});
  const std::lock_guard lock(mutex_);
  if (!is_gone) has_bad_news_.store(true, std::memory_order_relaxed);
  (is_gone ? done_.removed : done_.not_removed).push_back(std::move(removal));
}

void Writer::Thread::operator()(IndexedAlert& alert) { index_.add(std::move(alert)); }

void Writer::Thread::operator()(Commit& commit) {
  if (commit.is_last)
    index_.end();
  else
    index_.commit();
  const std::uint64_t bytes = index_.used_bytes();
  const std::lock_guard lock(mutex_);
  done_.index_bytes = bytes;
}

// What is in the file stays kept: only a power cut could take it.
void Writer::Thread::sync(SegmentFile& file) {
  if (file.sync()) return;
  warn({.action = "make packets last beyond a power cut (retain.sync)", .error_number = errno});
  const std::lock_guard lock(mutex_);
  done_.has_failed_to_sync = true;
}

void Writer::Thread::tell_of_index() {
  const std::uint64_t lost = index_.take_lost_alerts(), deleted = index_.take_deleted_alerts();
  if (index_.error()) warn(*index_.error());
  const std::lock_guard lock(mutex_);
  done_.lost_alerts += lost;
  done_.deleted_alerts += deleted;
  done_.is_index_behind = index_.error().has_value();
}

void Writer::Thread::warn(const Error& error) {
  std::string text = error.message();
  if (!warned_.insert(text).second) return;
  const std::lock_guard lock(mutex_);
  done_.warnings.push_back(std::move(text));
}

Writer::Writer(std::unique_ptr<Thread> thread) : thread_(std::move(thread)) {}

Writer::Writer(Writer&&) noexcept = default;

Result<Writer> Writer::start(const Settings& settings, std::unique_ptr<Index>& index) {
  try {
    return Writer(std::make_unique<Thread>(settings, index));
  } catch (const std::system_error& error) {
    return Error{.action = "start the thread that writes packets",
                 .error_number = error.code().value()};
  }
}

Writer::~Writer() = default;

bool Writer::has_room(std::size_t weight) const { return thread_->has_room(weight); }
std::size_t Writer::waiting_bytes() const { return thread_->waiting_bytes(); }
void Writer::wait_for_room(std::size_t weight) const { thread_->wait_for_room(weight); }
void Writer::write(Chunk chunk) { thread_->tell(std::move(chunk)); }
void Writer::close(std::shared_ptr<SegmentFile> file, SegmentName name) {
  thread_->tell(Close{std::move(file), std::move(name)});
}
void Writer::remove(Removal removal) { thread_->tell(std::move(removal)); }
void Writer::note(IndexedAlert alert) { thread_->tell(std::move(alert)); }
void Writer::commit() { thread_->tell(Commit{}); }
void Writer::end() { thread_->tell(Commit{.is_last = true}); }
void Writer::wait() const { thread_->wait(); }
bool Writer::has_bad_news() const { return thread_->has_bad_news(); }
Writer::Done Writer::collect() { return thread_->collect(); }

}  // namespace nids
