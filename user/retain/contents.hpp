// SPDX-License-Identifier: Apache-2.0
// What consecutive blocks of a segment hold, packet by packet as they come; sorted by flow only
// when the index is to know.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "retain/index.hpp"
#include "retain/kept.hpp"

namespace nids {

class Contents {
 public:
  struct Entry {
    std::uint64_t offset = 0;  // of its block
    WallTime time;
    std::uint32_t captured_bytes = 0;
  };
  // Offsets ascend. Returns whether its flow is new here: then `flow` was asked, which may be
  // empty: it is no more than its id.
  bool add(const Entry& packet, std::uint64_t flow_id, const std::function<KeptFlow()>& flow);
  void add(IndexedAlert alert);

  bool is_empty() const { return packets_.empty() && alerts_.empty(); }
  std::size_t packets() const { return packets_.size(); }
  std::size_t alerts() const { return alerts_.size(); }
  std::size_t weight() const;  // what it takes in memory, about, here or as a piece

  // For the index. Of packets at or beyond `end` of the segment, which are not in the file, there
  // is nothing but their alerts, without a place.
  SegmentPiece piece(const SegmentName& segment, std::uint64_t end) &&;

 private:
  struct Packet {
    std::uint64_t offset = 0;
    WallTime time;
    std::uint32_t captured_bytes = 0;
    std::uint32_t flow = 0;  // its index
  };

  std::vector<KeptFlow> flows_;
  boost::unordered_flat_map<std::uint64_t, std::uint32_t> by_id_;
  std::vector<Packet> packets_;
  std::vector<IndexedAlert> alerts_;
  std::size_t alerts_weight_ = 0;
};

}  // namespace nids
