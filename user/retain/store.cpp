// SPDX-License-Identifier: Apache-2.0
#include "retain/store.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>
#include <set>
#include <utility>

#include "nids/sum.hpp"
#include "retain/comments.hpp"
#include "retain/segments.hpp"

namespace nids {
namespace {

constexpr std::uint64_t kRetryAfterNs = 1'000'000'000;

}  // namespace

struct Store::State {
  State(int fd, std::string path, const std::vector<pcapng::Interface>& interfaces,
        const Limits& limits)
      : budget_bytes(limits.budget_bytes), segments(fd, std::move(path), interfaces, limits) {}

  const std::uint64_t budget_bytes;
  Segments segments;
  std::map<std::uint32_t, std::uint32_t> interface_indexes;  // by ifindex
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
  // With a reason for people, who hear it once.
  void hold(WallTime at, const std::string& why = {}) {
    if (!why.empty() && warned.insert(why).second) warnings.push_back(why);
    refused_at = at;
    is_degraded = true;
  }

  Refusal prepare(const pcapng::EnhancedPacket& block, std::uint8_t severity,
                  nids_agent_counters& counters);
  void wait(nids_agent_counters& counters);
  void collect(nids_agent_counters& counters);
  void learn(Writer::Done done, nids_agent_counters& counters);
  void number(std::vector<KeptAlert>& alerts);
};

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

void Store::State::number(std::vector<KeptAlert>& alerts) {
  for (KeptAlert& alert : alerts) alert.id = next_alert++;
}

Refusal Store::State::prepare(const pcapng::EnhancedPacket& block, std::uint8_t severity,
                              nids_agent_counters& counters) {
  const std::size_t bytes = pcapng::size_of(block);
  const std::size_t in_index = 2 * (bytes - block.data.size());  // once in its log, too
  const auto answer = segments.prepare(severity, bytes, in_index, now, counters);
  if (answer.refusal == Refusal::kError) hold(now, answer.why);
  if (answer.refusal == Refusal::kNone) refused_at.reset();
  return answer.refusal;
}

// What failed meanwhile may give it more to do.
void Store::State::wait(nids_agent_counters& counters) {
  for (segments.wait(), collect(counters); !segments.is_idle(); collect(counters)) {
    segments.give_all();
    segments.wait();
  }
}

// What the writer has done.
void Store::State::collect(nids_agent_counters& counters) {
  if (auto done = segments.collect()) learn(std::move(*done), counters);
  counters.store_bytes = segments.bytes();
  counters.store_budget_bytes = budget_bytes;
  counters.store_oldest_wall_ns = segments.oldest().value_or(WallTime{}).ns;
}

void Store::State::learn(Writer::Done done, nids_agent_counters& counters) {
  if (done.has_written) is_degraded = false;
  if (!done.lost.empty()) {
    hold(now);
    has_news = true;  // what was under way there was given, and is to be committed
  }
  if (done.has_failed_to_sync) is_degraded = true;
  counters.alerts_not_indexed += done.lost_alerts;
  counters.alerts_deleted += done.deleted_alerts;
  index_is_behind = done.is_index_behind;
  std::ranges::move(done.warnings, std::back_inserter(warnings));
  counters.store_index_bytes = done.index_bytes;
}

Store::Store(std::unique_ptr<State> state) : state_(std::move(state)) {}
Store::Store(Store&&) noexcept = default;

Store::~Store() {
  if (state_) state_->segments.finish(state_->now);
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
  if (auto found = state->segments.find({}); !found) return found.error();
  return Store(std::move(state));
}

Result<Repaired> Store::start(const GoesOn& goes_on) {
  Segments& segments = state_->segments;
  Repaired repaired;
  state_->has_no_index = true;
  auto index = open_repaired(segments.directory_fd(), segments.path(), repaired, goes_on);
  if (!index) return index.error();
  if (!repaired.is_whole) return repaired;  // the numbers of its alerts are not all known
  const auto last = index->last_alert_id();
  if (!last) return last.error();
  const auto known = index->segments();
  if (!known) return known.error();
  // As they are now, cut and removed where that had to be.
  if (auto found = segments.find(*known); !found) return found.error();
  state_->next_alert = *last + 1;
  segments.use(std::make_unique<Index>(std::move(*index)));
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
  if (store.segments.has_bad_news()) store.collect(counters);
  if (store.is_on_hold(store.now)) return refuse(Refusal::kError);

  const Draft* before = store.segments.under_way(facts.severity);
  const bool is_named = before && before->names(facts.flow_id);
  auto block = block_of(packet, interface->second, facts, is_named);
  Refusal refusal = store.prepare(block, facts.severity, counters);
  if (refusal != Refusal::kNone) return refuse(refusal);
  if (is_named && !store.segments.under_way(facts.severity)->names(facts.flow_id)) {
    // In a new segment the flow has to be named again.
    block = block_of(packet, interface->second, facts, false);
    refusal = store.prepare(block, facts.severity, counters);
    if (refusal != Refusal::kNone) return refuse(refusal);
  }
  counters.retained += one;
  return store.segments.under_way(facts.severity)
      ->add(block, counters, facts.flow_id, facts.flow, std::move(facts.alerts));
}

void Store::note(std::vector<KeptAlert> alerts, nids_agent_counters& counters) {
  State& store = *state_;
  store.has_news = store.has_news || !alerts.empty();
  for (KeptAlert& alert : alerts) {
    if (alert.id == 0) alert.id = store.next_alert++;
    const WallTime at = alert.time;
    if (!store.is_on_hold(at)) {
      const auto answer = store.segments.note({std::move(alert), std::nullopt});
      if (answer.refusal == Refusal::kNone) continue;
      if (answer.refusal == Refusal::kError) store.hold(at, answer.why);
    }
    counters.alerts_not_indexed += 1;
  }
}

const std::string& Store::directory() const { return state_->segments.path(); }
int Store::directory_fd() const { return state_->segments.directory_fd(); }

std::string Store::file_of(const PacketPlace& place) const {
  return directory() + "/" + place.segment.file();
}

void Store::flush(nids_agent_counters& counters) {
  if (state_->has_news || state_->index_is_behind) state_->has_news = !state_->segments.give_all();
  state_->collect(counters);
}

void Store::settle(nids_agent_counters& counters) {
  state_->segments.wait();  // so that there is room
  flush(counters);
  state_->wait(counters);
}

void Store::finish(nids_agent_counters& counters) {
  state_->segments.finish(state_->now);
  state_->wait(counters);
}

std::vector<std::string> Store::take_warnings() { return std::exchange(state_->warnings, {}); }

bool Store::degraded() const { return state_->is_degraded; }

bool Store::index_is_lost() const { return state_->has_no_index || state_->index_is_behind; }

}  // namespace nids
