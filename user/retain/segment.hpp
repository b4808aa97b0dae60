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

// Created by the first append(), because a disk that hangs may stop the thread that creates a file.
// Grows by whole blocks, so that a crash leaves at most one partial block.
class SegmentFile {
 public:
  // The directory must stay open.
  SegmentFile(int directory_fd, const SegmentName& name);
  SegmentFile(const SegmentFile&) = delete;
  SegmentFile& operator=(const SegmentFile&) = delete;
  ~SegmentFile();

  // Returns false if the write failed or a file of this name exists. Then no byte of
  // the blocks counts.
  bool append(std::span<const std::byte> blocks);
  bool sync();
  bool is_created() const { return fd_ >= 0; }
  int error() const { return error_; }  // of the last append() that failed, errno
  std::uint64_t size() const { return size_; }

 private:
  const int directory_fd_;
  const std::string name_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
  int error_ = 0;
};

}  // namespace nids
