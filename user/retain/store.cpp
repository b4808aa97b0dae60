// SPDX-License-Identifier: Apache-2.0
#include "retain/store.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "retain/segment.hpp"

namespace nids {
namespace {

constexpr std::uint64_t kRetryAfterNs = 1'000'000'000;

struct ClosedSegment {
  std::uint64_t file_bytes = 0;
  nids_sum kept{};  // captured bytes; of an earlier run: bytes of the file, packets not known
};

enum class Refusal { kNone, kPolicy, kError };

void count(nids_sum& sum, const nids_sum& more) {
  sum.packets += more.packets;
  sum.bytes += more.bytes;
}

}  // namespace

struct Store::State {
  explicit State(int fd) : directory_fd(fd) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { ::close(directory_fd); }

  int directory_fd;
  std::string path;
  Limits limits;
  std::map<std::uint32_t, std::uint32_t> interface_indexes;  // by ifindex
  pcapng::Bytes header;                                      // of every segment
  pcapng::Bytes block;                                       // of the packet at hand

  std::map<SegmentName, ClosedSegment> closed;
  std::uint64_t closed_bytes = 0;
  std::uint64_t next_sequence = 1;
  std::optional<Segment> segment;
  bool degraded = false;

  // After a refusal the disk is left alone for a second of packet time.
  WallTime now;
  WallTime refused_at;
  Refusal refusal = Refusal::kNone;

  bool is_on_hold() const {
    const std::uint64_t passed = now > refused_at ? now.ns - refused_at.ns : refused_at.ns - now.ns;
    return refusal != Refusal::kNone && passed < kRetryAfterNs;
  }
  Refusal hold(Refusal why) {
    refused_at = now;
    if (why == Refusal::kError) degraded = true;
    return refusal = why;
  }

  std::uint64_t total_bytes() const { return closed_bytes + (segment ? segment->size() : 0); }
  std::uint64_t needed_bytes() const { return block.size() + (segment ? 0 : header.size()); }

  bool write(nids_agent_counters& counters);
  bool close(nids_agent_counters& counters);
  void shelve();
  bool remove_oldest(nids_agent_counters& counters);
  bool make_room(nids_agent_counters& counters);
  bool is_below_floor() const;
  bool create();
  Refusal prepare(nids_agent_counters& counters);
};

void Store::State::shelve() {
  if (segment->file_bytes() == 0) {
    ::unlinkat(directory_fd, segment->name().file().c_str(), 0);
  } else {
    closed[segment->name()] = {segment->file_bytes(), segment->kept()};
    closed_bytes += segment->file_bytes();
  }
  segment.reset();
}

bool Store::State::write(nids_agent_counters& counters) {
  if (!segment || segment->buffered().packets == 0) return true;
  const nids_sum buffered = segment->buffered();
  if (segment->write()) {
    degraded = false;
    return true;
  }
  counters.retained.packets -= buffered.packets;
  counters.retained.bytes -= buffered.bytes;
  count(counters.not_kept_by_error, buffered);
  shelve();
  hold(Refusal::kError);
  return false;
}

bool Store::State::close(nids_agent_counters& counters) {
  if (!write(counters)) return false;
  if (segment) shelve();
  return true;
}

bool Store::State::remove_oldest(nids_agent_counters& counters) {
  const auto oldest = closed.begin();
  const bool removed = ::unlinkat(directory_fd, oldest->first.file().c_str(), 0) == 0;
  if (!removed && errno != ENOENT) return false;
  if (removed) count(counters.deleted_by_policy, oldest->second.kept);
  closed_bytes -= oldest->second.file_bytes;
  closed.erase(oldest);
  return true;
}

// Ends: each turn closes the one open segment or forgets a closed one, and a packet that an empty
// store can't hold was refused before.
bool Store::State::make_room(nids_agent_counters& counters) {
  while (total_bytes() + needed_bytes() > limits.budget_bytes) {
    if (!(closed.empty() ? close(counters) : remove_oldest(counters))) return false;
  }
  return true;
}

// Also false where the file system does not tell: then the write will.
bool Store::State::is_below_floor() const {
  struct statvfs disk {};
  if (limits.min_free_share <= 0 || ::fstatvfs(directory_fd, &disk) != 0) return false;
  const auto unit = static_cast<double>(disk.f_frsize);
  const double floor = limits.min_free_share * unit * static_cast<double>(disk.f_blocks);
  const double available = unit * static_cast<double>(disk.f_bavail);
  return disk.f_blocks != 0 && available - static_cast<double>(Segment::kBufferBytes) < floor;
}

bool Store::State::create() {
  // Sequences continue after those found, so a collision means that someone else writes here too.
  for (int attempt = 0; attempt < 16; ++attempt) {
    auto created = Segment::create(directory_fd, SegmentName::of(now, next_sequence++, 0), header);
    if (created) {
      segment.emplace(std::move(*created));
      return true;
    }
    if (created.error().error_number != EEXIST) return false;
  }
  return false;
}

Refusal Store::State::prepare(nids_agent_counters& counters) {
  if (header.size() + block.size() > limits.budget_bytes) return Refusal::kPolicy;
  if (segment && segment->size() + block.size() > limits.segment_bytes && !close(counters)) {
    return Refusal::kError;
  }
  if (segment && !segment->takes(block.size()) && !write(counters)) return Refusal::kError;
  // Once a buffer, not once a packet: what is buffered will be written.
  const bool begins_buffer = !segment || segment->buffered().packets == 0;
  if (begins_buffer && is_below_floor()) {
    degraded = true;
    return hold(Refusal::kError);
  }
  if (!make_room(counters)) return hold(Refusal::kError);
  if (!segment && !create()) return hold(Refusal::kError);
  refusal = Refusal::kNone;
  return refusal;
}

Store::Store(std::unique_ptr<State> state) : state_(std::move(state)) {}
Store::Store(Store&&) noexcept = default;

Store& Store::operator=(Store&& other) noexcept {
  std::swap(state_, other.state_);  // the other's destructor flushes what was here
  return *this;
}

Store::~Store() {
  nids_agent_counters nobody_asks{};
  if (state_) flush(nobody_asks);
}

Result<Store> Store::open(int directory_fd, std::string path,
                          std::map<std::uint32_t, pcapng::Interface> interfaces, Limits limits) {
  auto found = list_segments(directory_fd, path);
  if (!found) return found.error();
  const int fd = ::fcntl(directory_fd, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return Error{.action = "open the packet store " + path, .error_number = errno};

  auto state = std::make_unique<State>(fd);
  state->path = std::move(path);
  state->limits = limits;
  pcapng::append_section_header(state->header, "nids-xdp");
  for (const auto& [ifindex, interface] : interfaces) {
    const auto index = static_cast<std::uint32_t>(state->interface_indexes.size());
    state->interface_indexes.emplace(ifindex, index);
    pcapng::append_interface(state->header, interface);
  }
  for (const auto& [name, bytes] : *found) {
    state->closed[name] = {bytes, {0, bytes}};
    state->closed_bytes += bytes;
    state->next_sequence = std::max(state->next_sequence, name.sequence + 1);
  }
  return Store(std::move(state));
}

std::optional<Evidence> Store::keep(const Packet& packet, std::vector<std::string> comments,
                                    nids_agent_counters& counters) {
  State& store = *state_;
  const nids_sum one{1, packet.bytes.size()};
  const auto refuse = [&](Refusal why) {
    count(why == Refusal::kPolicy ? counters.not_kept_by_policy : counters.not_kept_by_error, one);
    return std::nullopt;
  };
  const auto index = store.interface_indexes.find(packet.ifindex);
  if (index == store.interface_indexes.end()) return refuse(Refusal::kError);
  store.now = packet.time;
  if (store.is_on_hold()) return refuse(store.refusal);

  store.block.clear();
  pcapng::append_packet(store.block, {.interface = index->second,
                                      .time = packet.time,
                                      .original_len = packet.frame_len,
                                      .data = packet.bytes,
                                      .outbound = packet.direction == NIDS_EGRESS,
                                      .comments = std::move(comments)});
  const Refusal refusal = store.prepare(counters);
  if (refusal != Refusal::kNone) return refuse(refusal);
  store.segment->append(store.block, packet.bytes.size());
  count(counters.retained, one);
  return Evidence{store.path + "/" + store.segment->name().file(), store.segment->kept().packets};
}

void Store::flush(nids_agent_counters& counters) {
  state_->refusal = Refusal::kNone;
  state_->write(counters);
}

bool Store::degraded() const { return state_->degraded; }

}  // namespace nids
