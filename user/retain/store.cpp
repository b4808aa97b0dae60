// SPDX-License-Identifier: Apache-2.0
#include "retain/store.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <iterator>
#include <limits>
#include <mutex>
#include <set>
#include <utility>

#include "nids/sum.hpp"
#include "retain/comments.hpp"
#include "retain/open_segments.hpp"

namespace nids {
namespace {

constexpr std::uint64_t kRetryAfterNs = 1'000'000'000;

}  // namespace

// The segments of one worker.
struct Lane {
  Lane(Archive& archive, std::size_t worker) : segments(archive, worker) {}

  std::mutex mutex;  // taken by the worker, and to give its blocks to the writer
  OpenSegments segments;
  WallTime now;  // the time of the worker's last packet
};

// Locks are taken in the order of their declaration here. No thread holds the locks of two lanes.
struct Store::State {
  State(int fd, std::string path, const std::vector<pcapng::Interface>& interfaces,
        const Limits& limits)
      : archive(fd, std::move(path), interfaces, limits) {
    serve(1);
  }
  void serve(std::size_t workers);
  WallTime now();

  bool is_on_hold(WallTime at) const { return is_on_hold(at, refused_at_ns); }
  static bool is_on_hold(WallTime at, std::uint64_t refused_ns);
  void hold(WallTime at, const std::string& why = {});

  Refusal prepare(OpenSegments& segments, const pcapng::EnhancedPacket& block, const Packet& packet,
                  std::uint8_t severity, nids_agent_counters& counters);
  bool index(KeptAlert alert);
  void note_news();
  bool give_all();
  void finish();
  void wait(nids_agent_counters& counters);
  void collect(WallTime at, nids_agent_counters& counters);
  void tell(nids_agent_counters& counters);

  std::mutex collect_mutex;  // so that losses are counted in their order
  std::vector<std::unique_ptr<Lane>> lanes;
  Archive archive;
  std::map<std::uint32_t, std::uint32_t> interface_indexes;  // by ifindex
  std::atomic<std::uint64_t> next_alert = 1;
  std::atomic<std::uint64_t> index_bytes = 0;
  std::atomic<bool> is_degraded = false;
  bool has_no_index = false;                  // the index could not be opened
  std::atomic<bool> index_is_behind = false;  // as the writer reports
  std::atomic<bool> has_news = false;         // the writer does not have all blocks yet

  // After a refusal the store leaves the disk alone for a second of packet time.
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();
  std::atomic<std::uint64_t> refused_at_ns = kNever;

  std::mutex warnings_mutex;
  std::vector<std::string> warnings;
  std::set<std::string> warned;
};

void Store::State::serve(std::size_t workers) {
  archive.serve(workers);
  lanes.clear();
  for (std::size_t i = 0; i < workers; ++i) lanes.push_back(std::make_unique<Lane>(archive, i));
}

WallTime Store::State::now() {
  WallTime latest;
  for (const auto& lane : lanes) {
    const std::lock_guard lock(lane->mutex);
    latest = std::max(latest, lane->now);
  }
  return latest;
}

bool Store::State::is_on_hold(WallTime at, std::uint64_t refused_ns) {
  if (refused_ns == kNever) return false;
  return (at.ns > refused_ns ? at.ns - refused_ns : refused_ns - at.ns) < kRetryAfterNs;
}

// Starts a pause after a refusal. Reports each reason once.
void Store::State::hold(WallTime at, const std::string& why) {
  if (!why.empty()) {
    const std::lock_guard lock(warnings_mutex);
    if (warned.insert(why).second) warnings.push_back(why);
  }
  refused_at_ns.store(at.ns, std::memory_order_relaxed);
  is_degraded = true;
}

namespace {

pcapng::EnhancedPacket block_of(const Packet& packet, std::uint32_t interface,
                                const Store::Facts& facts, bool is_named) {
  pcapng::EnhancedPacket block{.interface = interface,
                               .time = packet.time,
                               .original_len = packet.frame_len,
                               .data = packet.bytes,
                               .outbound = packet.direction == NIDS_EGRESS,
                               .comments = {}};
  for (const KeptAlert& alert : facts.alerts) {
    block.comments.push_back(alert_text(alert));
    block.comments.push_back(alert_comment(alert));
  }
  if (facts.flow_id != 0 && facts.flow && (!is_named || facts.is_related))
    block.comments.push_back(flow_comment({facts.flow(), facts.is_related}));
  return block;
}

}  // namespace

Refusal Store::State::prepare(OpenSegments& segments, const pcapng::EnhancedPacket& block,
                              const Packet& packet, std::uint8_t severity,
                              nids_agent_counters& counters) {
  const std::size_t bytes = pcapng::size_of(block);
  const std::size_t in_index = 2 * (bytes - block.data.size());  // once in its log, too
  const auto answer = segments.prepare(severity, bytes, in_index, packet.time, counters);
  if (answer.refusal == Refusal::kError) hold(packet.time, answer.why);
  return answer.refusal;
}

// Gives an alert without a packet to the index. Returns false if the index will not have the alert.
bool Store::State::index(KeptAlert alert) {
  const WallTime at = alert.time;
  if (auto started = archive.start_writer(); !started) {
    hold(at, started.error().message());
    return false;
  }
  IndexedAlert indexed{std::move(alert), std::nullopt};
  if (!archive.has_room(weight_of(indexed))) return false;
  archive.writer().note(std::move(indexed));
  return true;
}

// Call it after the writer or a segment got something, so that no flush() misses that. Writes only
// if the flag changes, because all workers read the flag.
void Store::State::note_news() {
  if (!has_news.load(std::memory_order_relaxed)) has_news = true;
}

// Gives the writer all blocks. Returns false if the writer has no room for all of them.
bool Store::State::give_all() {
  if (!archive.has_writer()) return true;
  bool is_all = true;
  for (const auto& lane : lanes) {
    const std::lock_guard lock(lane->mutex);
    is_all &= lane->segments.give_all();
  }
  if (!archive.writer().has_room(0)) return false;
  archive.writer().commit();
  return is_all;
}

void Store::State::finish() {
  for (const auto& lane : lanes) {
    const std::lock_guard lock(lane->mutex);
    lane->segments.complete_all(lane->now);
  }
  if (!archive.has_writer()) return;
  archive.writer().wait();
  archive.writer().end();
}

// Repeats, because a failure may give the writer more to do.
void Store::State::wait(nids_agent_counters& counters) {
  if (!archive.has_writer()) return tell(counters);
  for (;;) {
    archive.writer().wait();
    collect(now(), counters);
    if (archive.writer().waiting_bytes() == 0) break;
    give_all();
  }
  tell(counters);
}

// Accounts for what the writer has done.
void Store::State::collect(WallTime at, nids_agent_counters& counters) {
  if (!archive.has_writer()) return;
  const std::lock_guard lock(collect_mutex);
  Writer::Done done = archive.writer().collect();
  for (const LostChunk& chunk : done.lost) {
    for (const auto& lane : lanes) {
      const std::lock_guard lane_lock(lane->mutex);
      lane->segments.end_segment_of(chunk);
    }
    archive.lose(chunk);
  }
  archive.removed(done);
  if (done.has_written) is_degraded = false;
  if (!done.lost.empty()) {
    hold(at);
    has_news = true;  // the writer got the blocks of the ended segments, and has to commit them
  }
  if (done.has_failed_to_sync) is_degraded = true;
  add_atomically(counters.alerts_not_indexed, done.lost_alerts);
  add_atomically(counters.alerts_deleted, done.deleted_alerts);
  index_is_behind = done.is_index_behind;
  index_bytes = done.index_bytes;
  const std::lock_guard warnings_lock(warnings_mutex);
  std::ranges::move(done.warnings, std::back_inserter(warnings));
}

// Updates the counters of what the store holds.
void Store::State::tell(nids_agent_counters& counters) {
  std::uint64_t bytes = archive.bytes(), unused = 0;
  counters.store_budget_bytes = archive.limits().budget_bytes;
  counters.store_index_bytes = index_bytes;
  std::optional<WallTime> oldest = archive.oldest();
  for (const auto& lane : lanes) {
    const std::lock_guard lock(lane->mutex);
    if (const auto own = lane->segments.oldest(); own && (!oldest || *own < *oldest)) oldest = own;
    unused += lane->segments.reserved_in_advance();
  }
  counters.store_bytes = bytes - std::min(bytes, unused);
  counters.store_oldest_wall_ns = oldest.value_or(WallTime{}).ns;
}

Store::Store(std::unique_ptr<State> state) : state_(std::move(state)) {}
Store::Store(Store&&) noexcept = default;

Store::~Store() {
  if (state_) state_->finish();
}

Result<Store> Store::open(int directory_fd, std::string path,
                          std::map<std::uint32_t, pcapng::Interface> interfaces, Limits limits) {
  const int fd = ::fcntl(directory_fd, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return Error{.action = "open the packet store " + path, .error_number = errno};
  std::vector<pcapng::Interface> blocks;
  std::map<std::uint32_t, std::uint32_t> indexes;
  for (auto& [ifindex, interface] : interfaces) {
    indexes.emplace(ifindex, static_cast<std::uint32_t>(blocks.size()));
    blocks.push_back(std::move(interface));
  }
  auto state = std::make_unique<State>(fd, std::move(path), blocks, limits);
  state->interface_indexes = std::move(indexes);
  if (auto found = state->archive.find({}); !found) return found.error();
  return Store(std::move(state));
}

Result<Repaired> Store::start(const GoesOn& goes_on) {
  Archive& archive = state_->archive;
  Repaired repaired;
  state_->has_no_index = true;
  auto index = open_repaired(archive.directory_fd(), archive.path(), repaired, goes_on);
  if (!index) return index.error();
  if (!repaired.is_whole) return repaired;  // the numbers of its alerts are not all known
  const auto last = index->last_alert_id();
  if (!last) return last.error();
  const auto known = index->segments();
  if (!known) return known.error();
  // As they are now, cut and removed where that had to be.
  if (auto found = archive.find(*known); !found) return found.error();
  state_->next_alert = *last + 1;
  archive.use(std::make_unique<Index>(std::move(*index)));
  state_->has_no_index = false;
  return repaired;
}

std::optional<PacketPlace> Store::keep(const Packet& packet, Facts facts,
                                       nids_agent_counters& counters) {
  State& store = *state_;
  const nids_sum one = one_packet(packet.bytes.size());
  for (KeptAlert& alert : facts.alerts) alert.id = store.next_alert++;
  const auto refuse = [&](Refusal why) -> std::optional<PacketPlace> {
    add_atomically(why == Refusal::kPolicy     ? counters.not_kept_by_policy
                   : why == Refusal::kOverload ? counters.not_kept_by_overload
                                               : counters.not_kept_by_error,
                   one);
    note(std::move(facts.alerts), counters);
    return std::nullopt;
  };
  const auto interface = store.interface_indexes.find(packet.ifindex);
  if (interface == store.interface_indexes.end()) return refuse(Refusal::kError);
  if (store.archive.has_writer() && store.archive.writer().has_bad_news())
    store.collect(packet.time, counters);
  Lane& lane = *store.lanes[facts.worker % store.lanes.size()];
  const std::lock_guard lock(lane.mutex);
  lane.now = packet.time;
  std::uint64_t refused_ns = store.refused_at_ns;
  if (State::is_on_hold(packet.time, refused_ns)) return refuse(Refusal::kError);

  OpenSegments& segments = lane.segments;
  const Draft* before = segments.open(facts.severity);
  const bool is_named = before && before->names(facts.flow_id);
  auto block = block_of(packet, interface->second, facts, is_named);
  Refusal refusal = store.prepare(segments, block, packet, facts.severity, counters);
  if (refusal != Refusal::kNone) return refuse(refusal);
  if (is_named && !segments.open(facts.severity)->names(facts.flow_id)) {
    // In a new segment the flow has to be named again.
    block = block_of(packet, interface->second, facts, false);
    refusal = store.prepare(segments, block, packet, facts.severity, counters);
    if (refusal != Refusal::kNone) return refuse(refusal);
  }
  // Ends the pause, unless another worker was refused meanwhile.
  if (refused_ns != State::kNever)
    store.refused_at_ns.compare_exchange_strong(refused_ns, State::kNever);
  add_atomically(counters.retained, one);
  const PacketPlace place =
      segments.open(facts.severity)
          ->add(block, counters, facts.flow_id, facts.flow, std::move(facts.alerts));
  store.note_news();
  return place;
}

void Store::note(std::vector<KeptAlert> alerts, nids_agent_counters& counters) {
  State& store = *state_;
  for (KeptAlert& alert : alerts) {
    if (alert.id == 0) alert.id = store.next_alert++;
    const WallTime at = alert.time;
    if (store.is_on_hold(at) || !store.index(std::move(alert)))
      add_atomically(counters.alerts_not_indexed, 1);
  }
  if (!alerts.empty()) store.note_news();
}

void Store::serve(std::size_t workers) { state_->serve(std::max<std::size_t>(1, workers)); }

const std::string& Store::directory() const { return state_->archive.path(); }
int Store::directory_fd() const { return state_->archive.directory_fd(); }

std::string Store::file_of(const PacketPlace& place) const {
  return directory() + "/" + place.segment.file();
}

void Store::flush(nids_agent_counters& counters) {
  State& store = *state_;
  if (store.has_news.exchange(false) || store.index_is_behind)
    if (!store.give_all()) store.has_news = true;
  store.collect(store.now(), counters);
  store.tell(counters);
}

void Store::settle(nids_agent_counters& counters) {
  if (state_->archive.has_writer()) state_->archive.writer().wait();  // so that there is room
  flush(counters);
  state_->wait(counters);
}

void Store::finish(nids_agent_counters& counters) {
  state_->finish();
  state_->wait(counters);
}

std::vector<std::string> Store::take_warnings() {
  const std::lock_guard lock(state_->warnings_mutex);
  return std::exchange(state_->warnings, {});
}

bool Store::degraded() const { return state_->is_degraded; }

bool Store::index_is_lost() const { return state_->has_no_index || state_->index_is_behind; }

}  // namespace nids
