// SPDX-License-Identifier: Apache-2.0
#include "retain/repair.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "decode/secret_hash.hpp"
#include "net/flow_identity.hpp"
#include "nids/fd.hpp"
#include "retain/comments.hpp"
#include "retain/draft.hpp"
#include "retain/pcapng_reader.hpp"
#include "source/twin_flow.hpp"

namespace nids {
namespace {

constexpr std::size_t kPacketsAPiece = 4096;
constexpr std::size_t kAskEvery_bytes = 64u << 20;
constexpr std::size_t kBlockHead = 8;                    // type and length
constexpr std::size_t kMaxNames = 2 * Draft::kMaxFlows;  // of flows in a file that is not ours

// Which flow a packet of a segment belongs to, by the comments so far.
class FlowNames {
 public:
  KeptFlow of(const pcapng::PacketBlock& packet, int dlt) {
    std::optional<FlowComment> named;
    for (const std::string_view comment : packet.comments)
      if (auto parsed = parse_flow_comment(comment)) named = std::move(parsed);
    if (named && named->is_related) return named->flow;
    const FlowIdentity key = key_of(packet, dlt);
    if (named && names_.size() < kMaxNames) names_[key] = named->flow;
    if (named) return named->flow;
    const auto known = names_.find(key);
    return known == names_.end() ? KeptFlow{} : known->second;
  }

 private:
  // All zero for a packet of no flow.
  static FlowIdentity key_of(const pcapng::PacketBlock& packet, int dlt) {
    return flow_of_frame(packet.data, packet.original_len, dlt).value_or(FlowIdentity{});
  }

  boost::unordered_flat_map<FlowIdentity, KeptFlow, SecretHash<FlowIdentity>> names_;
};

// What a segment holds from some offset on, piece by piece, into the index.
class Indexing {
 public:
  Indexing(Index& index, SegmentName name, Repaired& repaired)
      : index_(index), segment_(std::move(name)), repaired_(repaired) {}

  // Returns whether a piece is in the index with it.
  Result<bool> add(const pcapng::PacketBlock& packet, const KeptFlow& flow) {
    contents_.add({.offset = packet.offset,
                   .time = packet.time,
                   .captured_bytes = static_cast<std::uint32_t>(packet.data.size())},
                  flow.id, [&] { return flow; });
    for (const std::string_view comment : packet.comments) {
      auto alert = parse_alert_comment(comment);
      if (!alert) continue;
      contents_.add({std::move(*alert), PacketPlace{segment_, packet.offset, packet.number}});
    }
    repaired_.packets += 1;
    if (contents_.packets() < kPacketsAPiece) return false;
    if (auto finished = finish(packet.offset + packet.bytes.size()); !finished)
      return finished.error();
    return true;
  }

  Result<void> finish(std::uint64_t end) {
    repaired_.alerts += contents_.alerts();
    return index_.add(std::exchange(contents_, Contents{}).piece(segment_, end));
  }

 private:
  Index& index_;
  const SegmentName segment_;
  Repaired& repaired_;
  Contents contents_;
};

// Up to the last byte that is not nought: after a power cut a file may have its length, and nought
// or a hole where the last bytes should be. Nothing where the disk does not tell.
std::optional<std::uint64_t> written_end(int fd, const pcapng::ReadAt& read_at, std::uint64_t from,
                                         std::uint64_t size) {
  std::vector<std::byte> bytes(64u << 10);
  std::uint64_t end = from;
  for (std::uint64_t at = from; at < size;) {
    const off_t data = ::lseek(fd, static_cast<off_t>(at), SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;
    if (data >= 0) at = std::max(at, static_cast<std::uint64_t>(data));
    const auto part = std::span(bytes).first(std::min<std::uint64_t>(bytes.size(), size - at));
    const std::size_t got = read_at(at, part);
    if (got == 0) return std::nullopt;
    for (std::size_t i = got; i-- > 0;)
      if (part[i] != std::byte{}) {
        end = at + i + 1;
        break;
      }
    at += got;
  }
  return end;
}

// Whether the file ends inside a block, as a write that was broken off leaves it. What can't be
// read is no end.
bool ends_inside_block(int fd, const pcapng::ReadAt& read_at, std::uint64_t at,
                       std::uint64_t size) {
  // A whole block ends in its length, of which the upper bytes may be nought.
  const auto written = written_end(fd, read_at, at, size);
  if (!written) return false;
  const std::uint64_t end = std::min(size, *written + 3);
  std::array<std::byte, kBlockHead> head;
  if (end < at + head.size()) return true;
  if (read_at(at, head) < head.size()) return false;
  std::uint32_t length = 0;
  std::memcpy(&length, head.data() + sizeof(std::uint32_t), sizeof(length));
  return length > end - at && length <= pcapng::Reader::kMaxBlock;
}

// Of segments of one directory into its index.
class Repair {
 public:
  Repair(int directory_fd, Index& index, const GoesOn& goes_on)
      : directory_fd_(directory_fd), index_(index), goes_on_(goes_on) {}

  // From where the index ends; from the beginning where the index has what is not there, as a power
  // cut may leave it.
  Result<void> segment(const SegmentName& name, std::uint64_t size, std::uint64_t indexed) {
    auto end = read(name, size, indexed);
    if (end && *end < indexed) {
      if (auto removed = index_.remove(name); !removed) return removed;
      if (const auto left = size_of(name)) end = read(name, *left, 0);
    }
    if (!end) return end.error();
    return index_.commit();
  }
  bool goes_on() {
    repaired_.is_whole = repaired_.is_whole && (!goes_on_ || goes_on_());
    return repaired_.is_whole;
  }
  Repaired& repaired() { return repaired_; }

 private:
  std::optional<std::uint64_t> size_of(const SegmentName& name) const {  // none: it is gone
    struct stat status {};
    if (::fstatat(directory_fd_, name.file().c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
      return std::nullopt;
    return static_cast<std::uint64_t>(status.st_size);
  }
  void complain(const SegmentName& name) {
    auto& damaged = repaired_.damaged;
    if (damaged.empty() || damaged.back() != name.file()) damaged.push_back(name.file());
  }
  pcapng::ReadAt watched(int fd);
  Result<std::uint64_t> read(const SegmentName& name, std::uint64_t size, std::uint64_t from);
  Result<std::uint64_t> end(const SegmentName& name, const Fd& file, std::uint64_t end,
                            std::uint64_t size, Indexing& indexing);

  int directory_fd_;
  Index& index_;
  const GoesOn& goes_on_;
  Repaired repaired_;
};

// Returns how far the segment can be followed.
Result<std::uint64_t> Repair::read(const SegmentName& name, std::uint64_t size,
                                   std::uint64_t from) {
  const Fd file{
      ::openat(directory_fd_, name.file().c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)};
  if (!file) {
    complain(name);
    return size;
  }
  const pcapng::ReadAt read_at = watched(file.get());
  pcapng::Reader reader(read_at);
  FlowNames names;
  Indexing indexing(index_, name, repaired_);
  repaired_.segments += 1;
  for (;;) {
    const auto packet = reader.next();
    if (!packet || !*packet) break;
    const KeptFlow flow =
        names.of(**packet, pcapng::dlt_of(reader.interfaces().at((*packet)->interface).link_type));
    if ((*packet)->offset < from) continue;
    const auto is_piece = indexing.add(**packet, flow);
    if (!is_piece) return is_piece.error();
    if (*is_piece && !goes_on()) return size;
  }
  if (!goes_on()) return size;
  return end(name, file, reader.end(), size, indexing);
}

// Reads nothing more once it is ended.
pcapng::ReadAt Repair::watched(int fd) {
  return [this, read = pcapng::read_from(fd), bytes = std::size_t{0}](
             std::uint64_t offset, std::span<std::byte> to) mutable -> std::size_t {
    bytes += to.size();
    if (bytes >= kAskEvery_bytes && (bytes = 0, !goes_on())) return 0;
    return read(offset, to);
  };
}

Result<std::uint64_t> Repair::end(const SegmentName& name, const Fd& file, std::uint64_t end,
                                  std::uint64_t size, Indexing& indexing) {
  const bool is_torn = end < size && ends_inside_block(file.get(), watched(file.get()), end, size);
  if (!repaired_.is_whole) return size;
  if (is_torn && ::ftruncate(file.get(), static_cast<off_t>(end)) == 0) {
    repaired_.cut_bytes += size - end;
  } else if (end < size) {
    complain(name);
  }
  if (end == 0 && (is_torn || size == 0)) {  // not even its header was written
    ::unlinkat(directory_fd_, name.file().c_str(), 0);
    return end;
  }
  if (auto finished = indexing.finish(is_torn ? end : size); !finished) return finished.error();
  return end;
}

}  // namespace

Result<Repaired> repair(int directory_fd, const std::string& path, Index& index,
                        const GoesOn& goes_on) {
  const auto found = list_segments(directory_fd, path);
  if (!found) return found.error();
  const auto known = index.segments();
  if (!known) return known.error();
  Repair work(directory_fd, index, goes_on);
  Repaired& repaired = work.repaired();
  for (const auto& [name, indexed] : *known) {
    const auto there = found->find(name);
    if (there != found->end() && indexed.end <= there->second) continue;
    if (!work.goes_on()) return repaired;
    repaired.forgotten += there == found->end();
    if (auto removed = index.remove(name); !removed) return removed.error();
    if (auto committed = index.commit(); !committed) return committed.error();
  }
  for (const auto& [name, size] : *found) {
    const auto before = known->find(name);
    const std::uint64_t indexed =
        before == known->end() || before->second.end > size ? 0 : before->second.end;
    if (before != known->end() && indexed == size) continue;
    if (!work.goes_on()) break;
    if (auto done = work.segment(name, size, indexed); !done) return done.error();
  }
  return repaired;
}

}  // namespace nids
