// SPDX-License-Identifier: Apache-2.0
// The flows under analysis: bounded, the one silent longest goes first. Counts packets that came
// up, never those that the kernel kept to itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <unordered_map>

#include "decode/packet.hpp"
#include "flow/ends.hpp"
#include "nids/abi/flow.h"

namespace nids {

struct Flow {
  nids_flow_key key{};
  Ends ends;
  WallTime start;
  std::uint64_t id = 0;  // below 2^53, the same in every replay
  std::string community_id;
  std::uint8_t class_id = 0;
  bool is_flagged = false;   // an analyser has spoken of it
  bool is_closed = false;    // a FIN or RST came up
  WallTime last;             // of the last packet that came up
  std::uint64_t bytes[2]{};  // wire bytes that came up: to server, to client
};

class FlowTable {
 public:
  struct Limits {
    std::size_t max_flows = 65'536;  // beyond it the one silent longest goes, and is counted
    std::uint16_t community_id_seed = 0;
  };

  explicit FlowTable(Limits limits) : limits_(limits) {}
  FlowTable(FlowTable&&) = default;  // a copy's index would point into the original

  // The packet's flow; a new one where it is not known, or where a SYN begins the old one's ports
  // anew. Valid until the next call.
  Flow& track(const Packet& packet);

  // What is known of a packet that belongs to no flow; remembered nowhere.
  static Flow stranger(const Packet& packet);

  // The kernel's slot of a flow is gone, by eviction or because the same ports began a new
  // connection: what comes next is a new flow. `last` is the slot's last packet; an older slot
  // says nothing about the flow of now, since each CPU has one.
  void forget(const nids_flow_key& key, WallTime last);

  std::size_t size() const { return index_.size(); }
  std::uint64_t evictions() const { return evictions_; }

 private:
  struct KeyHash {
    std::size_t operator()(const nids_flow_key& key) const noexcept;
  };
  struct KeyEqual {
    bool operator()(const nids_flow_key& a, const nids_flow_key& b) const noexcept;
  };

  Flow& open(const nids_flow_key& key, const Packet& packet);

  Limits limits_;
  std::list<Flow> silent_first_;
  std::unordered_map<nids_flow_key, std::list<Flow>::iterator, KeyHash, KeyEqual> index_;
  std::uint64_t evictions_ = 0;
};

}  // namespace nids
