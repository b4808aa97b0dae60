// SPDX-License-Identifier: Apache-2.0
// Segment files of one directory: their names, the list of them, and one that is written. Knows no
// budget and never removes a file.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "nids/result.hpp"
#include "nids/time.hpp"

namespace nids {

// Time, sequence and severity only, never packet data: 20261122T100000-000001-s2.pcapng. Sorts by
// age.
struct SegmentName {
  std::string time;  // of its first packet, UTC
  std::uint64_t sequence = 0;
  std::uint8_t severity = 0;  // of the alerts of its packets' flows, 1 high to 3 low; 0: none

  static SegmentName of(WallTime first_packet, std::uint64_t sequence, std::uint8_t severity);
  static std::optional<SegmentName> parse(std::string_view file);
  std::string file() const;
  WallTime begun() const;  // to the second
  auto operator<=>(const SegmentName&) const = default;
};

// The segments there are, and their bytes. Other files, and what is no regular file, are left out.
Result<std::map<SegmentName, std::uint64_t>> list_segments(int directory_fd,
                                                           const std::string& path);

// Begins empty and grows by whole blocks, so that a crash leaves at most one piece of them.
class SegmentFile {
 public:
  // The file must not exist. An error: errno, e.g. EEXIST.
  static Result<SegmentFile> create(int directory_fd, const SegmentName& name);
  SegmentFile(SegmentFile&&) noexcept;
  SegmentFile& operator=(SegmentFile&&) = delete;
  ~SegmentFile();

  // False: the disk refused, and the file ends where it ended before.
  bool append(std::span<const std::byte> blocks);
  bool sync();
  int error() const { return error_; }  // of the last append() that failed, errno
  std::uint64_t size() const { return size_; }

 private:
  explicit SegmentFile(int fd) : fd_(fd) {}

  int fd_ = -1;
  std::uint64_t size_ = 0;
  int error_ = 0;
};

}  // namespace nids
