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
  std::size_t trailer_bytes() const { return trailer_bytes_; }   // likewise
  Buffers& buffers() { return buffers_; }

  // Call these from one thread, before the first packet. find() lists the segments of earlier runs:
  // they count towards the budget, and new segments get higher numbers. If `known` does not have a
  // segment, or claims more than its file has, only the size of its file is known.
  Result<void> find(const std::map<SegmentName, IndexedSegment>& known);
  void use(std::unique_ptr<Index> index) { index_ = std::move(index); }
  void serve(std::size_t workers);
  std::size_t workers() const { return unwritten_.size(); }

  // The budget. reserve() removes old segments to make room for `bytes`, and adds `advance` if that
  // needs no removal. Returns the bytes reserved; none: there is no segment left to remove.
  // complete() exchanges the bytes reserved for a segment for those that it has.
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
  // The most bytes that may not be on the disk yet: `own` of this worker, the `own` of each other
  // worker's last call, and `since` for each of them, which it may have added after that call.
  std::uint64_t unwritten(std::size_t worker, std::uint64_t own, std::uint64_t since);

  // The thread that writes. It starts with the first packet, because threads do not survive a fork.
  Result<void> start_writer();
  // Call the rest only if there is a writer.
  Writer& writer() { return *writer_; }
  bool has_writer() const { return is_writing_.load(std::memory_order_acquire); }
  bool has_room(std::size_t weight);

  // Account for what the writer did: first for the lost chunks, whose segments are complete by now,
  // then for the segments that it removed or could not remove.
  void lose(const LostChunk& chunk);
  void removed(const Writer::Done& done);

  std::uint64_t bytes() const;  // of all segments, with what is reserved
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
  mutable std::mutex mutex_;      // of all below
  std::unique_ptr<Index> index_;  // until the writer has it
  Shelf shelf_;
  std::uint64_t reserved_ = 0;
  std::uint64_t next_sequence_ = 1;
  std::vector<std::uint64_t> unwritten_;  // by worker
  std::optional<Writer> writer_;          // last: its thread gives buffers back
};

}  // namespace nids
