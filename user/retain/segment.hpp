// SPDX-License-Identifier: Apache-2.0
// Segment files of one directory: their names, the list of them, and the one being written in
// whole blocks. Knows no budget and never removes a file.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nids/abi/counters.h"
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
  auto operator<=>(const SegmentName&) const = default;
};

// The segments there are, and their bytes. Other files, and what is no regular file, are left out.
Result<std::map<SegmentName, std::uint64_t>> list_segments(int directory_fd,
                                                           const std::string& path);

class Segment {
 public:
  static constexpr std::size_t kBufferBytes = 256 * 1024;

  // Creates the file, which must not exist; `header` opens it. An error: errno, e.g. EEXIST.
  static Result<Segment> create(int directory_fd, SegmentName name,
                                std::span<const std::byte> header);
  Segment(Segment&&) noexcept;
  Segment& operator=(Segment&&) = delete;
  ~Segment();  // closes, writes nothing

  const SegmentName& name() const { return name_; }
  std::uint64_t size() const { return file_bytes_ + buffer_.size(); }
  std::uint64_t file_bytes() const { return file_bytes_; }
  nids_sum kept() const;  // packets and their captured bytes, buffered ones included
  const nids_sum& buffered() const { return buffered_; }
  bool takes(std::size_t block_bytes) const;  // into the buffer as it is

  void append(std::span<const std::byte> block, std::size_t captured_bytes);

  // Writes the buffer. False: the disk refused, the file ends where it ended before, and what was
  // buffered is gone.
  bool write();

 private:
  Segment(int fd, SegmentName name, std::span<const std::byte> header);

  int fd_ = -1;
  SegmentName name_;
  std::vector<std::byte> buffer_;  // whole blocks: a crash leaves at most one write in pieces
  std::uint64_t file_bytes_ = 0;
  nids_sum written_{};
  nids_sum buffered_{};
};

}  // namespace nids
