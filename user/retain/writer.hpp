// SPDX-License-Identifier: Apache-2.0
// The one thread that writes segments and their index, in the order it is told. What waits for it
// is bounded, and it never holds up who tells it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nids/abi/counters.h"
#include "retain/buffers.hpp"
#include "retain/contents.hpp"
#include "retain/index.hpp"
#include "retain/index_queue.hpp"
#include "retain/segment.hpp"

namespace nids {

// When what was written has to be on the disk for good, so that a power cut does not take it. A
// killed process loses only what was not written yet.
enum class Sync : std::uint8_t {
  kNever,    // the kernel says when, mostly within 30 seconds
  kSegment,  // when a segment is complete
  kSecond    // after each write, at least once a second
};

// Packets of one interface: what was counted for them is given back if they could not be written.
struct Share {
  nids_agent_counters* counters = nullptr;
  nids_sum kept{};
};

// Blocks to append to a segment, and what they hold.
struct Chunk {
  std::shared_ptr<SegmentFile> file;
  SegmentName segment;
  std::vector<std::byte> bytes;
  std::optional<Contents> contents{};  // of these blocks, and of earlier ones that came without
  std::vector<Share> shares;
};

// A chunk that could not be written. Its alerts went to the index without a place.
struct LostChunk {
  std::shared_ptr<SegmentFile> file;
  SegmentName segment;
  std::uint64_t bytes = 0;  // that are not in the file
  std::vector<Share> shares;
};

// A segment that has to go.
struct Removal {
  SegmentName name;
  nids_agent_counters* counters = nullptr;  // who counts what is deleted
  nids_sum kept{};                          // in it, as far as is known
  bool was_there = true;                    // else it is gone by somebody else's doing
  // In deleted_by_policy, by the writer: a killed process has no later moment. Not where a chunk of
  // it was lost, since `kept` may not know.
  bool is_counted = false;
};

// What a chunk takes in memory while it waits, about; `contents`: null where it has none.
std::size_t weight_of(std::size_t bytes, const Contents* contents);

class Writer {
 public:
  struct Settings {
    int directory_fd = -1;       // stays the caller's
    Buffers* buffers = nullptr;  // to give back to what was written; they outlive the writer
    Sync sync = Sync::kNever;
    std::uint64_t max_waiting_bytes = 16u << 20;  // and as much again that waits for the index
    std::uint64_t max_alerts = 100'000;           // in the index; the oldest go
    std::chrono::milliseconds retry_index_after{1000};
  };
  // What was done since the last collect().
  struct Done {
    std::vector<LostChunk> lost;
    std::vector<Removal> removed, not_removed;
    bool has_written = false;
    bool has_failed_to_sync = false;    // what was written since may not outlive a power cut
    std::uint64_t lost_alerts = 0;      // that the index was to know, and will not
    std::uint64_t deleted_alerts = 0;   // from it, for newer ones
    std::vector<std::string> warnings;  // what failed, each once
    // As it is now.
    bool is_index_behind = false;  // or lost: it could not be written
    std::uint64_t index_bytes = 0;
  };

  // Where the system has no thread to give the index stays the caller's. It may be null.
  static Result<Writer> start(const Settings& settings, std::unique_ptr<Index>& index);
  Writer(Writer&&) noexcept;
  Writer& operator=(Writer&&) = delete;
  ~Writer();  // does what it was told, then ends

  // `weight`: of what is to be told, by weight_of().
  bool has_room(std::size_t weight) const;
  std::size_t waiting_bytes() const;
  void wait_for_room(std::size_t weight) const;
  void write(Chunk chunk);
  // Behind its last chunk: made lasting, and left out of further writes. A file of no bytes goes.
  void close(std::shared_ptr<SegmentFile> file, SegmentName name);
  void remove(Removal removal);
  void note(IndexedAlert alert);  // whose packet was not kept
  void commit();                  // what was told so far is to be found in the index
  void end();                     // the same for the last time
  void wait() const;              // until all that was told is done
  bool has_bad_news() const;      // collect() would tell of something that failed
  Done collect();

 private:
  class Thread;
  explicit Writer(std::unique_ptr<Thread> thread);
  std::unique_ptr<Thread> thread_;
};

}  // namespace nids
