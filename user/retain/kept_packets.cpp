// SPDX-License-Identifier: Apache-2.0
#include "retain/kept_packets.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <queue>
#include <utility>

namespace nids {
namespace {

constexpr std::size_t kScanBytes = 1u << 20;
constexpr std::size_t kLookUpBytes = 64u << 10;

struct Entry {
  WallTime time;
  std::uint64_t offset = 0;
};

// A segment that was opened, and those of its packets that are wanted, by time.
struct Source {
  explicit Source(int descriptor)
      : fd(descriptor), reader(pcapng::read_from(descriptor), kLookUpBytes) {}
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  ~Source() { ::close(fd); }

  const Entry& entry() const { return entries[at]; }

  int fd;
  pcapng::Reader reader;
  std::vector<Entry> entries;
  std::size_t at = 0;
  SegmentName name;
};

// The oldest first; of the same moment that of the older segment.
struct IsLater {
  bool operator()(const std::unique_ptr<Source>& a, const std::unique_ptr<Source>& b) const {
    if (a->entry().time != b->entry().time) return a->entry().time > b->entry().time;
    return a->name > b->name;
  }
};

Error trouble_with(const SegmentName& name, const Error& error) {
  return {.action = "read " + name.file(),
          .error_number = error.error_number,
          .reason = error.reason.empty() ? "" : error.message()};
}

}  // namespace

struct KeptPackets::State {
  struct Part {
    SegmentName name;
    WantedPart wanted;
  };

  int directory_fd = -1;
  std::vector<Part> waiting;  // the one that is due first is the last
  Wish wish;
  std::vector<std::unique_ptr<Source>> active;  // a heap by IsLater
  std::optional<pcapng::PacketBlock> packet;    // the one that was given away last
  std::unique_ptr<Source> giver;                // of it
  std::vector<Error> troubles;

  void open(const Part& part);
  void look_up(Source& source, const WantedPart& wanted);
  void scan(Source& source, const WantedPart& wanted);
  void take(Source& source, const pcapng::PacketBlock& block, const pcapng::Reader& reader);
  void give_back();
};

void KeptPackets::State::take(Source& source, const pcapng::PacketBlock& block,
                              const pcapng::Reader& reader) {
  if (wish(block, reader.interfaces()[block.interface]))
    source.entries.push_back({block.time, block.offset});
}

// What lies before damage is taken.
void KeptPackets::State::scan(Source& source, const WantedPart& wanted) {
  pcapng::Reader reader(pcapng::read_from(source.fd), kScanBytes);
  for (;;) {
    const auto block = reader.next();
    if (block && !*block) return;
    if (!block) {
      const bool is_being_written = reader.is_cut() && reader.end() >= wanted.complete;
      if (!is_being_written) troubles.push_back(trouble_with(source.name, block.error()));
      return;
    }
    take(source, **block, reader);
  }
}

// Each packet stands for itself: one that is damaged is no reason to leave out the others. A
// segment is complained of once.
void KeptPackets::State::look_up(Source& source, const WantedPart& wanted) {
  bool is_damaged = false;
  for (const std::uint64_t offset : wanted.offsets) {
    const auto block = source.reader.at(offset);
    if (block) {
      take(source, *block, source.reader);
    } else if (!std::exchange(is_damaged, true)) {
      troubles.push_back(trouble_with(source.name, block.error()));
    }
  }
}

void KeptPackets::State::open(const Part& part) {
  const std::string file = part.name.file();
  const int fd =
      ::openat(directory_fd, file.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    troubles.push_back({.action = "read " + file,
                        .error_number = errno == ENOENT ? 0 : errno,
                        .reason = errno == ENOENT ? "it was deleted meanwhile" : ""});
    return;
  }
  auto source = std::make_unique<Source>(fd);
  source->name = part.name;
  if (part.wanted.is_whole)
    scan(*source, part.wanted);
  else
    look_up(*source, part.wanted);
  if (source->entries.empty()) return;
  std::stable_sort(source->entries.begin(), source->entries.end(),
                   [](const Entry& a, const Entry& b) { return a.time < b.time; });
  active.push_back(std::move(source));
  std::push_heap(active.begin(), active.end(), IsLater{});
}

// The source of the packet that was given away last, which is not looked at any more.
void KeptPackets::State::give_back() {
  packet.reset();
  if (!giver || ++giver->at == giver->entries.size()) {
    giver.reset();
    return;
  }
  active.push_back(std::move(giver));
  std::push_heap(active.begin(), active.end(), IsLater{});
}

KeptPackets::KeptPackets(int directory_fd, WantedParts parts, Wish wish)
    : state_(std::make_unique<State>()) {
  state_->directory_fd = directory_fd;
  state_->wish = std::move(wish);
  for (auto& [name, wanted] : parts) {
    // As they lie, and each once.
    std::sort(wanted.offsets.begin(), wanted.offsets.end());
    wanted.offsets.erase(std::unique(wanted.offsets.begin(), wanted.offsets.end()),
                         wanted.offsets.end());
    state_->waiting.push_back({name, std::move(wanted)});
  }
  std::stable_sort(state_->waiting.begin(), state_->waiting.end(),
                   [](const auto& a, const auto& b) { return a.wanted.first > b.wanted.first; });
}

KeptPackets::KeptPackets(KeptPackets&&) noexcept = default;
KeptPackets::~KeptPackets() = default;

std::optional<KeptPackets::Found> KeptPackets::next() {
  State& state = *state_;
  state.give_back();
  for (;;) {
    while (!state.waiting.empty() &&
           (state.active.empty() ||
            state.waiting.back().wanted.first <= state.active.front()->entry().time)) {
      const State::Part part = std::move(state.waiting.back());
      state.waiting.pop_back();
      state.open(part);
    }
    if (state.active.empty()) return std::nullopt;
    std::pop_heap(state.active.begin(), state.active.end(), IsLater{});
    state.giver = std::move(state.active.back());
    state.active.pop_back();
    auto block = state.giver->reader.at(state.giver->entry().offset);
    if (block) {
      state.packet = std::move(*block);
      return Found{*state.packet, state.giver->reader.interfaces()[state.packet->interface]};
    }
    state.troubles.push_back(trouble_with(state.giver->name, block.error()));
    state.give_back();
  }
}

const std::vector<Error>& KeptPackets::troubles() const { return state_->troubles; }

}  // namespace nids
