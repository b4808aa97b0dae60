// SPDX-License-Identifier: Apache-2.0
#include "retain/store.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <set>
#include <string_view>
#include <utility>

#include "nids/sum.hpp"
#include "retain/comments.hpp"
#include "retain/disk_floor.hpp"
#include "retain/draft.hpp"
#include "retain/segment.hpp"
#include "retain/shelf.hpp"

namespace nids {
namespace {

constexpr std::uint64_t kMaxSequence = 900'000'000'000'000;
constexpr std::uint64_t kRetryAfterNs = 1'000'000'000;
constexpr std::uint64_t kSegmentShare = 8;  // of the budget, at least so many segments

constexpr std::string_view kTooFull =
    "packets can't be kept: no more of the disk is free than retain.min_free_percent wants";

enum class Refusal { kNone, kPolicy, kError, kOverload };

}  // namespace

struct Store::State {
  State(int fd, Limits all) : directory_fd(fd), limits(all), floor(fd, all.min_free_share) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    writer.reset();
    ::close(directory_fd);
  }

  int directory_fd;
  Limits limits;
  Buffers buffers;
  DiskFloor floor;
  std::string path;
  std::map<std::uint32_t, std::uint32_t> interface_indexes;  // by ifindex
  pcapng::Bytes header;                                      // of every segment
  std::size_t trailer_bytes = 0;                             // likewise
  pcapng::EnhancedPacket at_hand;                            // the packet that is being kept
  std::size_t block_bytes = 0;                               // that it takes

  std::unique_ptr<Index> index;  // until the writer has it
  std::optional<Writer> writer;
  Shelf shelf;
  std::array<std::optional<Draft>, 4> drafts;  // by severity
  std::uint64_t next_sequence = 1;
  std::uint64_t next_alert = 1;
  bool is_degraded = false;
  bool has_no_index = false;     // it could not be opened
  bool index_is_behind = false;  // the writer says so
  std::vector<std::string> warnings;
  std::set<std::string> warned;
  bool has_news = false;  // that the writer was not given yet

  // After a refusal the disk is left alone for a second of packet time.
  WallTime now;
  std::optional<WallTime> refused_at;

  bool is_on_hold(WallTime at) const {
    if (!refused_at) return false;
    return (at > *refused_at ? at.ns - refused_at->ns : refused_at->ns - at.ns) < kRetryAfterNs;
  }
  Refusal hold(WallTime at) {
    refused_at = at;
    is_degraded = true;
    return Refusal::kError;
  }
  // The same, with a reason for people, who hear it once.
  Refusal hold(WallTime at, const std::string& why) {
    if (warned.insert(why).second) warnings.push_back(why);
    return hold(at);
  }

  bool has_writer(WallTime at);
  bool takes(const IndexedAlert& alert);
  std::uint64_t segment_limit() const;
  std::uint64_t total_bytes() const;
  void describe(const Packet& packet, std::uint32_t interface, const Facts& facts, bool is_named);
  bool is_complete(const Draft& draft) const;
  bool has_room_for(const Draft& draft, bool with_contents = true);
  void give(Draft& draft);
  void give_all();
  void wait(nids_agent_counters& counters);
  void complete(std::optional<Draft>& draft);
  bool make_room(std::uint64_t needed, nids_agent_counters& counters);
  void remove(SegmentName name, nids_agent_counters& counters);
  void remove_again(nids_agent_counters& counters);
  std::uint64_t unwritten_bytes() const;
  Result<void> create(std::optional<Draft>& draft, std::uint8_t severity);
  Refusal prepare(std::optional<Draft>& draft, std::uint8_t severity,
                  nids_agent_counters& counters);
  void lose(const LostChunk& chunk);
  void collect(nids_agent_counters& counters);
  void learn(nids_agent_counters& counters);
  std::optional<WallTime> oldest() const;
  void number(std::vector<KeptAlert>& alerts);
};

// Only when there is something to write: threads don't live through a fork. What has a draft has a
// writer.
bool Store::State::has_writer(WallTime at) {
  if (writer) return true;
  auto started = Writer::start({.directory_fd = directory_fd,
                                .buffers = &buffers,
                                .sync = limits.sync,
                                .max_waiting_bytes = limits.max_waiting_bytes,
                                .max_alerts = limits.max_alerts,
                                .retry_index_after = limits.retry_index_after},
                               index);
  if (started) {
    writer.emplace(std::move(*started));
    return true;
  }
  hold(at, started.error().message());
  return false;
}

bool Store::State::takes(const IndexedAlert& alert) {
  if (is_on_hold(alert.alert.time) || !has_writer(alert.alert.time)) return false;
  const std::size_t weight = weight_of(alert);
  if (limits.when_behind == WhenBehind::kWait) writer->wait_for_room(weight);
  return writer->has_room(weight);
}

std::uint64_t Store::State::segment_limit() const {
  return std::min(limits.segment_bytes, limits.budget_bytes / kSegmentShare);
}

std::uint64_t Store::State::total_bytes() const {
  std::uint64_t bytes = shelf.bytes();
  for (const auto& draft : drafts)
    if (draft) bytes += draft->size() + trailer_bytes;
  return bytes;
}

void Store::State::number(std::vector<KeptAlert>& alerts) {
  for (KeptAlert& alert : alerts) alert.id = next_alert++;
}

void Store::State::describe(const Packet& packet, std::uint32_t interface, const Facts& facts,
                            bool is_named) {
  at_hand = {.interface = interface,
             .time = packet.time,
             .original_len = packet.frame_len,
             .data = packet.bytes,
             .outbound = packet.direction == NIDS_EGRESS,
             .comments = {}};
  for (const KeptAlert& alert : facts.alerts) {
    at_hand.comments.push_back(alert_text(alert));
    at_hand.comments.push_back(alert_comment(alert));
  }
  if (facts.flow_id != 0 && facts.flow && (!is_named || facts.is_related))
    at_hand.comments.push_back(flow_comment({facts.flow(), facts.is_related}));
  block_bytes = pcapng::size_of(at_hand);
}

bool Store::State::is_complete(const Draft& draft) const {
  const auto age = std::chrono::nanoseconds(now > draft.begun() ? now.ns - draft.begun().ns : 0);
  return draft.size() + block_bytes + trailer_bytes > segment_limit() || draft.is_full_of_flows() ||
         age >= limits.segment_time;
}

// Waits for it where it is told to.
bool Store::State::has_room_for(const Draft& draft, bool with_contents) {
  const std::size_t weight =
      weight_of(draft.waiting_bytes(), with_contents ? &draft.contents() : nullptr);
  if (limits.when_behind == WhenBehind::kWait) writer->wait_for_room(weight);
  return writer->has_room(weight);
}

void Store::State::give(Draft& draft) {
  if (draft.waiting_bytes() != 0 || !draft.contents().is_empty())
    writer->write(draft.take_with_contents());
}

void Store::State::give_all() {
  has_news = false;
  for (auto& draft : drafts) {
    if (!draft) continue;
    if (writer->has_room(weight_of(draft->waiting_bytes(), &draft->contents())))
      give(*draft);
    else
      has_news = true;
  }
  if (writer->has_room(0))
    writer->commit();
  else
    has_news = true;
}

// What failed meanwhile may give it more to do.
void Store::State::wait(nids_agent_counters& counters) {
  if (writer) writer->wait();
  collect(counters);
  while (writer && writer->waiting_bytes() != 0) {
    writer->commit();
    writer->wait();
    collect(counters);
  }
}

void Store::State::complete(std::optional<Draft>& draft) {
  if (!draft) return;
  pcapng::Bytes trailer;
  for (const auto& one : draft->statistics(interface_indexes.size(), now))
    pcapng::append_statistics(trailer, one);
  draft->append(trailer);
  give(*draft);
  shelf.add(draft->name(), draft->size(), draft->kept());
  writer->close(draft->file(), draft->name());
  draft.reset();
}

// Ends: each turn takes a complete segment off the shelf, or completes one under way; and a packet
// that an empty store can't hold was refused before.
bool Store::State::make_room(std::uint64_t needed, nids_agent_counters& counters) {
  while (total_bytes() + needed > limits.budget_bytes) {
    if (auto least = shelf.take_least(next_sequence)) {
      remove(std::move(*least), counters);
      continue;
    }
    const auto largest = std::ranges::max_element(
        drafts, {}, [](const auto& draft) { return draft ? draft->size() : 0; });
    if (!*largest) {
      remove_again(counters);
      return false;
    }
    complete(*largest);
  }
  return true;
}

void Store::State::remove(SegmentName name, nids_agent_counters& counters) {
  const nids_sum kept = shelf.held(name);
  writer->remove({.name = std::move(name), .counters = &counters, .kept = kept});
}

// What could not be removed before. Not often: with each new segment, or when nothing else is left
// and the disk is left alone afterwards.
void Store::State::remove_again(nids_agent_counters& counters) {
  for (SegmentName& name : shelf.aside()) remove(std::move(name), counters);
}

std::uint64_t Store::State::unwritten_bytes() const {
  std::uint64_t bytes = writer ? writer->waiting_bytes() : 0;
  for (const auto& draft : drafts)
    if (draft) bytes += draft->waiting_bytes() + trailer_bytes;
  return bytes;
}

Result<void> Store::State::create(std::optional<Draft>& draft, std::uint8_t severity) {
  int error_number = 0;
  // Sequences continue after those found, so a collision means that someone else writes here too.
  for (int attempt = 0; attempt < 16; ++attempt) {
    SegmentName name = SegmentName::of(now, next_sequence++, severity);
    auto file = SegmentFile::create(directory_fd, name);
    if (file) {
      draft.emplace(std::move(name), std::make_shared<SegmentFile>(std::move(*file)), now, header,
                    buffers);
      return {};
    }
    error_number = file.error().error_number;
    if (error_number != EEXIST) break;
  }
  return Error{.action = "make a file for packets in " + path, .error_number = error_number};
}

Refusal Store::State::prepare(std::optional<Draft>& draft, std::uint8_t severity,
                              nids_agent_counters& counters) {
  const std::uint64_t alone = header.size() + block_bytes + trailer_bytes;
  if (alone > limits.budget_bytes) return Refusal::kPolicy;
  if (!has_writer(now)) return Refusal::kError;
  if (draft && !draft->takes(block_bytes)) {
    // The index is told of many packets at once: a row a flow, not a row a flow and chunk.
    const bool is_due = draft->is_due_in_index();
    if (!has_room_for(*draft, is_due)) return Refusal::kOverload;
    writer->write(is_due ? draft->take_with_contents() : draft->take());
  }
  const std::uint64_t needed = draft ? block_bytes : alone;
  const std::uint64_t in_index = 2 * (block_bytes - at_hand.data.size());  // once in its log, too
  if (!floor.takes(needed + in_index, [this] { return unwritten_bytes(); }))
    return hold(now, std::string(kTooFull));
  if (!make_room(needed, counters)) return hold(now);
  if (!draft) {  // to make room it may have been completed
    if (!make_room(alone, counters)) return hold(now);
    if (auto created = create(draft, severity); !created)
      return hold(now, created.error().message());
    remove_again(counters);
  }
  refused_at.reset();
  return Refusal::kNone;
}

// A segment of which a piece is missing ends before it.
void Store::State::lose(const LostChunk& chunk) {
  nids_sum all{};
  for (const Share& share : chunk.shares) {
    share.counters->retained -= share.kept;
    share.counters->not_kept_by_error += share.kept;
    all += share.kept;
  }
  auto& draft = drafts[chunk.segment.severity & 3u];
  if (draft && draft->file() == chunk.file) {
    give(*draft);  // which can't follow, but may know of packets that are in the file
    has_news = true;
    shelf.add(draft->name(), draft->size(), draft->kept());
    writer->close(draft->file(), draft->name());
    draft.reset();
  }
  shelf.take_back(chunk.segment, chunk.bytes, all);
}

std::optional<WallTime> Store::State::oldest() const {
  std::optional<WallTime> oldest = shelf.oldest();
  for (const auto& draft : drafts)
    if (draft && (!oldest || draft->begun() < *oldest)) oldest = draft->begun();
  return oldest;
}

// What the writer has done.
void Store::State::collect(nids_agent_counters& counters) {
  if (writer) learn(counters);
  counters.store_bytes = total_bytes();
  counters.store_budget_bytes = limits.budget_bytes;
  counters.store_oldest_wall_ns = oldest().value_or(WallTime{}).ns;
}

void Store::State::learn(nids_agent_counters& counters) {
  Writer::Done done = writer->collect();
  for (const LostChunk& chunk : done.lost) lose(chunk);
  for (const Removal& gone : done.removed) {
    const nids_sum kept = shelf.remove(gone.name);
    if (gone.was_there && !gone.is_counted) add_atomically(gone.counters->deleted_by_policy, kept);
  }
  for (const Removal& left : done.not_removed) shelf.put_aside(left.name);
  if (done.has_written) is_degraded = false;
  if (!done.lost.empty()) hold(now);
  if (done.has_failed_to_sync) is_degraded = true;
  counters.alerts_not_indexed += done.lost_alerts;
  index_is_behind = done.is_index_behind;
  std::ranges::move(done.warnings, std::back_inserter(warnings));
  counters.store_index_bytes = done.index_bytes;
}

Store::Store(std::unique_ptr<State> state) : state_(std::move(state)) {}
Store::Store(Store&&) noexcept = default;

Store::~Store() {
  if (!state_) return;
  for (auto& draft : state_->drafts) state_->complete(draft);
}

Result<Store> Store::open(int directory_fd, std::string path,
                          std::map<std::uint32_t, pcapng::Interface> interfaces, Limits limits) {
  auto found = list_segments(directory_fd, path);
  if (!found) return found.error();
  const int fd = ::fcntl(directory_fd, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return Error{.action = "open the packet store " + path, .error_number = errno};
  auto state = std::make_unique<State>(fd, limits);
  state->path = std::move(path);
  pcapng::append_section_header(state->header, "nids-xdp");
  for (const auto& [ifindex, interface] : interfaces) {
    const auto index = static_cast<std::uint32_t>(state->interface_indexes.size());
    state->interface_indexes.emplace(ifindex, index);
    pcapng::append_interface(state->header, interface);
  }
  pcapng::Bytes trailer;  // always of one size
  for (std::size_t i = 0; i < interfaces.size(); ++i) pcapng::append_statistics(trailer, {});
  state->trailer_bytes = trailer.size();
  for (const auto& [name, bytes] : *found) {
    state->shelf.add(name, bytes, {0, bytes});
    // A planted name may not push the numbers to where they have more digits than a name takes.
    if (name.sequence < kMaxSequence)
      state->next_sequence = std::max(state->next_sequence, name.sequence + 1);
  }
  return Store(std::move(state));
}

Result<Repaired> Store::start(const GoesOn& goes_on) {
  Repaired repaired;
  state_->has_no_index = true;
  auto index = open_repaired(state_->directory_fd, state_->path, repaired, goes_on);
  if (!index) return index.error();
  if (!repaired.is_whole) return repaired;  // the numbers of its alerts are not all known
  const auto last = index->last_alert_id();
  if (!last) return last.error();
  const auto segments = index->segments();
  if (!segments) return segments.error();
  // As they are now, cut and removed where that had to be.
  const auto found = list_segments(state_->directory_fd, state_->path);
  if (!found) return found.error();
  state_->shelf = {};
  for (const auto& [name, bytes] : *found) {
    const auto known = segments->find(name);
    const bool is_true = known != segments->end() && known->second.held.bytes <= bytes &&
                         known->second.held.packets <= bytes;
    state_->shelf.add(name, bytes, is_true ? known->second.held : nids_sum{0, bytes});
  }
  state_->next_alert = *last + 1;
  state_->index = std::make_unique<Index>(std::move(*index));
  state_->has_no_index = false;
  return repaired;
}

std::optional<PacketPlace> Store::keep(const Packet& packet, Facts facts,
                                       nids_agent_counters& counters) {
  State& store = *state_;
  const nids_sum one = one_packet(packet.bytes.size());
  store.number(facts.alerts);
  store.has_news = true;
  const auto refuse = [&](Refusal why) -> std::optional<PacketPlace> {
    (why == Refusal::kPolicy     ? counters.not_kept_by_policy
     : why == Refusal::kOverload ? counters.not_kept_by_overload
                                 : counters.not_kept_by_error) += one;
    note(std::move(facts.alerts), counters);
    return std::nullopt;
  };
  const auto interface = store.interface_indexes.find(packet.ifindex);
  if (interface == store.interface_indexes.end()) return refuse(Refusal::kError);
  store.now = packet.time;
  if (store.writer && store.writer->has_bad_news()) store.collect(counters);
  if (store.is_on_hold(store.now)) return refuse(Refusal::kError);

  auto& draft = store.drafts[facts.severity & 3u];
  const bool is_named = draft && draft->names(facts.flow_id);
  store.describe(packet, interface->second, facts, is_named);
  if (draft && store.is_complete(*draft)) {
    if (!store.has_room_for(*draft)) return refuse(Refusal::kOverload);
    store.complete(draft);
  }
  Refusal refusal = store.prepare(draft, facts.severity & 3u, counters);
  if (refusal != Refusal::kNone) return refuse(refusal);
  if (is_named && !draft->names(facts.flow_id)) {
    // In a new segment the flow has to be named again.
    store.describe(packet, interface->second, facts, false);
    if (refusal = store.prepare(draft, facts.severity & 3u, counters); refusal != Refusal::kNone)
      return refuse(refusal);
  }
  counters.retained += one;
  return draft->add(store.at_hand, counters, facts.flow_id, facts.flow, std::move(facts.alerts));
}

void Store::note(std::vector<KeptAlert> alerts, nids_agent_counters& counters) {
  State& store = *state_;
  store.has_news = store.has_news || !alerts.empty();
  for (KeptAlert& alert : alerts) {
    if (alert.id == 0) alert.id = store.next_alert++;
    IndexedAlert indexed{std::move(alert), std::nullopt};
    if (store.takes(indexed))
      store.writer->note(std::move(indexed));
    else
      counters.alerts_not_indexed += 1;
  }
}

const std::string& Store::directory() const { return state_->path; }

std::string Store::file_of(const PacketPlace& place) const {
  return state_->path + "/" + place.segment.file();
}

void Store::flush(nids_agent_counters& counters) {
  if (state_->writer && (state_->has_news || state_->index_is_behind)) state_->give_all();
  state_->collect(counters);
}

void Store::settle(nids_agent_counters& counters) {
  if (state_->writer) state_->writer->wait();  // so that there is room
  flush(counters);
  state_->wait(counters);
}

void Store::finish(nids_agent_counters& counters) {
  for (auto& draft : state_->drafts) state_->complete(draft);
  state_->wait(counters);
  if (state_->writer) state_->writer->end();
  state_->wait(counters);
}

std::vector<std::string> Store::take_warnings() { return std::exchange(state_->warnings, {}); }

bool Store::degraded() const { return state_->is_degraded; }

bool Store::index_is_lost() const { return state_->has_no_index || state_->index_is_behind; }

}  // namespace nids
