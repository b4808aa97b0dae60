// SPDX-License-Identifier: Apache-2.0
// A segment under way: the blocks that were not given to the writer yet, and what they hold.
// Decides nothing.
#pragma once

#include <boost/unordered/unordered_flat_set.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "nids/abi/counters.h"
#include "retain/buffers.hpp"
#include "retain/contents.hpp"
#include "retain/kept.hpp"
#include "retain/pcapng.hpp"
#include "retain/writer.hpp"

namespace nids {

class Draft {
 public:
  static constexpr std::size_t kChunkBytes = 1u << 20;
  static constexpr std::size_t kMaxFlows = 65'536;    // in a segment
  static constexpr std::size_t kMaxPackets = 65'536;  // before the index has to know of them

  // `buffers` outlive it.
  Draft(SegmentName name, std::shared_ptr<SegmentFile> file, WallTime begun,
        std::span<const std::byte> header, Buffers& buffers);

  const SegmentName& name() const { return name_; }
  const std::shared_ptr<SegmentFile>& file() const { return file_; }
  WallTime begun() const { return begun_; }
  std::uint64_t size() const { return size_; }  // bytes, with what is under way
  std::size_t waiting_bytes() const { return chunk_.bytes.size(); }
  const Contents& contents() const { return contents_; }  // that the index was not told of
  const nids_sum& kept() const { return kept_; }
  bool takes(std::size_t block_bytes) const;  // into the chunk under way
  bool is_full_of_flows() const { return flows_.size() >= kMaxFlows; }
  // Whether a packet of the flow was named by a comment in this segment.
  bool names(std::uint64_t flow_id) const { return flows_.contains(flow_id); }

  // `flow` as Contents::add() has it.
  PacketPlace add(const pcapng::EnhancedPacket& packet, nids_agent_counters& counters,
                  std::uint64_t flow_id, const std::function<KeptFlow()>& flow,
                  std::vector<KeptAlert> alerts);
  void append(std::span<const std::byte> block);  // of no packet

  // By interface, for the segment's end; as many as asked for.
  std::vector<pcapng::Statistics> statistics(std::size_t interfaces, WallTime now) const;

  Chunk take();  // the blocks under way
  // The same, with what the index is to know of all blocks that were taken since the last time.
  Chunk take_with_contents();
  bool is_due_in_index() const { return contents_.packets() >= kMaxPackets; }

 private:
  void begin_chunk();
  void count(const pcapng::EnhancedPacket& packet, nids_agent_counters& counters);

  SegmentName name_;
  std::shared_ptr<SegmentFile> file_;
  WallTime begun_;
  Buffers& buffers_;
  std::uint64_t size_ = 0;
  nids_sum kept_{};
  struct OfInterface {
    std::uint64_t kept = 0;
    const nids_agent_counters* counters = nullptr;
    std::uint64_t lost_before = 0;  // by overload, when its first packet came here
  };
  std::vector<OfInterface> of_interface_;  // by index
  boost::unordered_flat_set<std::uint64_t> flows_;
  Chunk chunk_;
  Contents contents_;
};

}  // namespace nids
