// SPDX-License-Identifier: Apache-2.0
#include "retain/repair.hpp"

#include <fcntl.h>
#include <pcap/dlt.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "firstpass/twin.h"
#include "retain/comments.hpp"
#include "retain/draft.hpp"
#include "retain/pcapng_reader.hpp"
#include "source/twin_frame.hpp"

namespace nids {
namespace {

constexpr std::size_t kPacketsAPiece = 4096;
constexpr std::size_t kBlockHead = 8;  // type and length
constexpr std::uint16_t kLinkTypeRaw = 101;
constexpr std::size_t kMaxNames = 2 * Draft::kMaxFlows;  // of flows in a file that is not ours

class File {
 public:
  File(int directory_fd, const std::string& name)
      : fd_(::openat(directory_fd, name.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  explicit operator bool() const { return fd_ >= 0; }

  std::size_t read_at(std::uint64_t offset, std::span<std::byte> to) const {
    std::size_t done = 0;
    while (done < to.size()) {
      const ssize_t n =
          ::pread(fd_, to.data() + done, to.size() - done, static_cast<off_t>(offset + done));
      if (n > 0) done += static_cast<std::size_t>(n);
      if (n == 0 || (n < 0 && errno != EINTR)) break;
    }
    return done;
  }
  bool cut(std::uint64_t size) const { return ::ftruncate(fd_, static_cast<off_t>(size)) == 0; }

 private:
  int fd_;
};

// Which flow a packet of a segment belongs to, by the comments so far.
class FlowNames {
 public:
  KeptFlow of(const pcapng::PacketBlock& packet, int dlt) {
    std::optional<FlowComment> named;
    for (const std::string_view comment : packet.comments)
      if (auto parsed = parse_flow_comment(comment)) named = std::move(parsed);
    if (named && named->is_related) return named->flow;
    const auto key = key_of(packet, dlt);
    if (named && names_.size() < kMaxNames) names_[key] = named->flow;
    if (named) return named->flow;
    const auto known = names_.find(key);
    return known == names_.end() ? KeptFlow{} : known->second;
  }

 private:
  static std::string key_of(const pcapng::PacketBlock& packet, int dlt) {
    const nids_twin_frame frame = twin_frame(packet.data, packet.original_len, packet.time, dlt);
    nids_packet headers{};
    nids_twin_parse(&frame, &headers, nullptr);
    if ((headers.flags & NIDS_PACKET_IS_FLOW) == 0) return {};
    const nids_embedded none{};
    nids_flow_key key{};
    nids_twin_flow_key(&headers, &none, &key);
    return {reinterpret_cast<const char*>(&key), sizeof(key)};
  }

  boost::unordered_flat_map<std::string, KeptFlow> names_;
};

// What a segment holds from some offset on, piece by piece, into the index.
class Indexing {
 public:
  Indexing(Index& index, SegmentName name, Repaired& repaired)
      : index_(index), repaired_(repaired) {
    piece_.segment = std::move(name);
  }

  Result<void> add(const pcapng::PacketBlock& packet, const KeptFlow& flow) {
    const auto [place, is_new] = spans_.try_emplace(flow.id, piece_.spans.size());
    if (is_new) piece_.spans.push_back({piece_.segment, flow, packet.time, packet.time, 0, {}});
    FlowSpan& span = piece_.spans[place->second];
    span.first = std::min(span.first, packet.time);
    span.last = std::max(span.last, packet.time);
    span.bytes += packet.data.size();
    span.offsets.push_back(packet.offset);
    for (const std::string_view comment : packet.comments)
      if (auto alert = parse_alert_comment(comment))
        piece_.alerts.push_back(
            {std::move(*alert), PacketPlace{piece_.segment, packet.offset, packet.number}});
    repaired_.packets += 1;
    return ++packets_ < kPacketsAPiece ? Result<void>{}
                                       : finish(packet.offset + packet.bytes.size());
  }

  Result<void> finish(std::uint64_t end) {
    repaired_.alerts += piece_.alerts.size();
    piece_.end = end;
    auto added = index_.add(piece_);
    piece_.spans.clear();
    piece_.alerts.clear();
    spans_.clear();
    packets_ = 0;
    return added;
  }

 private:
  Index& index_;
  Repaired& repaired_;
  SegmentPiece piece_;
  boost::unordered_flat_map<std::uint64_t, std::size_t> spans_;
  std::size_t packets_ = 0;
};

int dlt_of(const pcapng::Reader& reader, std::uint32_t interface) {
  const std::uint16_t type = reader.interfaces().at(interface).link_type;
  return type == kLinkTypeRaw ? DLT_RAW : type;
}

// Up to the last byte that is not nought: after a power cut a file may have its length, and nought
// where the last bytes should be.
std::uint64_t written_end(const File& file, std::uint64_t from, std::uint64_t size) {
  std::vector<std::byte> bytes(64u << 10);
  std::uint64_t end = from;
  for (std::uint64_t at = from; at < size;) {
    const auto part = std::span(bytes).first(std::min<std::uint64_t>(bytes.size(), size - at));
    const std::size_t got = file.read_at(at, part);
    if (got == 0) return size;  // it can't be known
    for (std::size_t i = got; i-- > 0;)
      if (part[i] != std::byte{}) {
        end = at + i + 1;
        break;
      }
    at += got;
  }
  return end;
}

// Whether the file ends inside a block, as a write that was broken off leaves it.
bool ends_inside_block(const File& file, std::uint64_t at, std::uint64_t size) {
  // A whole block ends in its length, of which the upper bytes may be nought.
  const std::uint64_t end = std::min(size, written_end(file, at, size) + 3);
  std::array<std::byte, kBlockHead> head;
  if (end < at + head.size() || file.read_at(at, head) < head.size()) return true;
  std::uint32_t length = 0;
  std::memcpy(&length, head.data() + sizeof(std::uint32_t), sizeof(length));
  return length > end - at && length <= pcapng::Reader::kMaxBlock;
}

// Returns how far the segment can be followed.
Result<std::uint64_t> read_segment(int directory_fd, const SegmentName& name, std::uint64_t size,
                                   std::uint64_t from, Index& index, Repaired& repaired) {
  const File file(directory_fd, name.file());
  if (!file) {
    repaired.damaged.push_back(name.file());
    return size;
  }
  pcapng::Reader reader([&](std::uint64_t at, auto to) { return file.read_at(at, to); });
  FlowNames names;
  Indexing indexing(index, name, repaired);
  repaired.segments += 1;
  for (;;) {
    const auto packet = reader.next();
    if (!packet || !*packet) break;
    const KeptFlow flow = names.of(**packet, dlt_of(reader, (*packet)->interface));
    if ((*packet)->offset < from) continue;
    if (auto added = indexing.add(**packet, flow); !added) return added.error();
  }
  const std::uint64_t end = reader.end();
  const bool is_torn = end < size && ends_inside_block(file, end, size);
  if (is_torn && file.cut(end)) {
    repaired.cut_bytes += size - end;
  } else if (end < size) {
    repaired.damaged.push_back(name.file());
  }
  if (end == 0 && (is_torn || size == 0)) {  // not even its header was written
    ::unlinkat(directory_fd, name.file().c_str(), 0);
    return end;
  }
  if (auto finished = indexing.finish(is_torn ? end : size); !finished) return finished.error();
  return end;
}

// From where the index ends; from the beginning where the index has what is not there, as a power
// cut may leave it.
Result<void> index_segment(int directory_fd, const SegmentName& name, std::uint64_t size,
                           std::uint64_t indexed, Index& index, Repaired& repaired) {
  auto end = read_segment(directory_fd, name, size, indexed, index, repaired);
  if (end && *end < indexed) {
    if (auto removed = index.remove(name); !removed) return removed;
    end = read_segment(directory_fd, name, *end, 0, index, repaired);
  }
  if (!end) return end.error();
  return {};
}

// Closed and with it its lock.
class Directory {
 public:
  explicit Directory(const std::string& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

// SQLite's own files beside the index.
void give_to_owner(int directory_fd) {
  struct stat owner {};
  if (::fstat(directory_fd, &owner) != 0) return;
  for (const char* suffix : {"", "-wal", "-shm"}) {
    const std::string name = std::string(Index::kFile) + suffix;
    const int fd = ::openat(directory_fd, name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct stat status {};
    if (fd >= 0 && ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 1) {
      [[maybe_unused]] const int changed = ::fchown(fd, owner.st_uid, owner.st_gid);
      [[maybe_unused]] const int closed = ::fchmod(fd, 0640);
    }
    if (fd >= 0) ::close(fd);
  }
}

void put_aside(int directory_fd) {
  const std::string name = Index::kFile;
  ::renameat(directory_fd, name.c_str(), directory_fd, (name + ".bad").c_str());
  for (const char* suffix : {"-wal", "-shm"}) ::unlinkat(directory_fd, (name + suffix).c_str(), 0);
}

}  // namespace

Result<Repaired> repair(int directory_fd, const std::string& path, Index& index) {
  const auto found = list_segments(directory_fd, path);
  if (!found) return found.error();
  const auto known = index.segments();
  if (!known) return known.error();
  Repaired repaired;
  for (const auto& [name, indexed] : *known) {
    const auto there = found->find(name);
    if (there != found->end() && indexed <= there->second) continue;
    repaired.forgotten += there == found->end();
    if (auto removed = index.remove(name); !removed) return removed.error();
  }
  for (const auto& [name, size] : *found) {
    const auto before = known->find(name);
    const std::uint64_t indexed =
        before == known->end() || before->second > size ? 0 : before->second;
    if (before != known->end() && indexed == size) continue;
    auto done = index_segment(directory_fd, name, size, indexed, index, repaired);
    if (!done) return done.error();
  }
  if (auto committed = index.commit(); !committed) return committed.error();
  return repaired;
}

Result<Repaired> rebuild_index(const std::string& directory) {
  const Directory opened(directory);
  if (opened.get() < 0)
    return Error{.action = "open the directory " + directory, .error_number = errno};
  if (::flock(opened.get(), LOCK_EX | LOCK_NB) != 0)
    return Error{.action = "make the index of " + directory + " anew",
                 .reason = "an agent keeps packets there now",
                 .hint = "stop it first; it repairs the index by itself when it starts"};
  put_aside(opened.get());
  Repaired repaired;
  auto index = open_repaired(opened.get(), directory, repaired);
  if (!index) return index.error();
  return repaired;
}

Result<Index> open_repaired(int directory_fd, const std::string& path, Repaired& repaired) {
  const auto try_it = [&]() -> Result<Index> {
    auto index = Index::open(path, Index::Access::kWrite);
    if (!index) return index;
    auto done = repair(directory_fd, path, *index);
    if (!done) return done.error();
    repaired = std::move(*done);
    give_to_owner(directory_fd);
    return index;
  };
  auto index = try_it();
  if (index) return index;
  put_aside(directory_fd);
  return try_it();
}

}  // namespace nids
