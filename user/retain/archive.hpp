// SPDX-License-Identifier: Apache-2.0
// The part of a store that the workers share: the complete segments, the budget of all segments,
// and the thread that writes. Any thread may make any call unless its comment says otherwise; no
// call waits for the disk, except with WhenBehind::kWait.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "nids/abi/counters.h"
#include "nids/result.hpp"
#include "retain/buffers.hpp"
#include "retain/index.hpp"
#include "retain/limits.hpp"
#include "retain/pcapng.hpp"
#include "retain/shelf.hpp"
#include "retain/writer.hpp"

namespace nids {

class Archive {
 public:
  // Owns `directory_fd`; `path` is for messages. Each segment describes the interfaces.
  Archive(int directory_fd, std::string path, const std::vector<pcapng::Interface>& interfaces,
          const StoreLimits& limits);
  Archive(const Archive&) = delete;
  Archive& operator=(const Archive&) = delete;
  ~Archive();  // writes all chunks that it got

  int directory_fd() const { return directory_fd_; }
  const std::string& path() const { return path_; }
  const StoreLimits& limits() const { return limits_; }
  std::size_t interfaces() const { return interfaces_; }
  std::span<const std::byte> header() const { return header_; }  // of each segment
  std::size_t trailer_bytes() const { return trailer_bytes_; }   // of each segment
  Buffers& buffers() { return buffers_; }

  // Call these from one thread, before the first packet. find() lists the segments of earlier runs:
  // they count towards the budget, and new segments get higher numbers. If `known` lacks a
  // segment, or claims more bytes than the file has, only the size of the file counts.
  Result<void> find(const std::map<SegmentName, IndexedSegment>& known);
  void use(std::unique_ptr<Index> index) { index_ = std::move(index); }
  void serve(std::size_t workers);
  std::size_t workers() const { return unwritten_.size(); }

  // The budget. reserve() removes old segments to make room for `bytes`, and adds `advance` if that
  // needs no removal. Returns the reserved bytes, or 0 if no segment is left to remove.
  // complete() replaces the reserved bytes of a segment by its size.
  [[nodiscard]] std::uint64_t reserve(std::uint64_t bytes, std::uint64_t advance,
                                      nids_agent_counters& counters);
  struct Complete {
    const SegmentName& name;
    std::uint64_t bytes;
    nids_sum kept;
  };
  void complete(const Complete& segment, std::uint64_t reserved);
  // Tries again to remove segments that could not be removed.
  void remove_again(nids_agent_counters& counters);
  SegmentName next_name(WallTime begun, std::uint8_t severity);
  // Returns how many bytes at most are not on the disk yet: `own` of this worker, `own` of the last
  // call of each other worker, and `since` for each other worker, which that worker may have added
  // after its call.
  std::uint64_t unwritten(std::size_t worker, std::uint64_t own, std::uint64_t since);

  // The thread that writes. It starts with the first packet, because threads do not survive a fork.
  Result<void> start_writer();
  // Call writer() and has_room() only if has_writer().
  Writer& writer() { return *writer_; }
  bool has_writer() const { return is_writing_.load(std::memory_order_acquire); }
  bool has_room(std::size_t weight);

  // Account for the results of the writer. lose() is for a lost chunk; its segment must be
  // complete. removed() is for the segments that the writer removed or could not remove; call
  // lose() first.
  void lose(const LostChunk& chunk);
  void removed(const Writer::Done& done);

  std::uint64_t bytes() const;  // of all segments, reserved bytes included
  std::optional<WallTime> oldest() const;

 private:
  void remove(SegmentName name, nids_agent_counters& counters);

  const int directory_fd_;
  const std::string path_;
  const StoreLimits limits_;
  const std::size_t interfaces_;
  pcapng::Bytes header_;
  std::size_t trailer_bytes_ = 0;
  Buffers buffers_;

  std::atomic<bool> is_writing_ = false;
  mutable std::mutex mutex_;      // guards all below
  std::unique_ptr<Index> index_;  // null once the writer has it
  Shelf shelf_;
  std::uint64_t reserved_ = 0;
  std::uint64_t next_sequence_ = 1;
  std::vector<std::uint64_t> unwritten_;  // by worker
  std::optional<Writer> writer_;          // last, because its thread returns buffers
};

}  // namespace nids
