// SPDX-License-Identifier: Apache-2.0
// Packets of flows that have raised no alert yet, in memory for a while: what led up to an alert is
// kept with it. Bounded in bytes and time; the oldest packet of all goes first. Writes nothing.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <unordered_map>

#include "decode/packet.hpp"
#include "decode/secret_hash.hpp"
#include "nids/abi/counters.h"

namespace nids {

class Hold {
 public:
  struct Limits {
    std::uint64_t budget_bytes = 16ull << 20;  // of memory, all that it takes to hold them included
    std::chrono::nanoseconds time = std::chrono::seconds(30);  // in packet time
  };
  explicit Hold(Limits limits);
  Hold(const Hold&) = delete;  // what is held is counted once

  // Takes a copy. What has to go for it, or does not fit at all, counts as not kept by policy.
  // `counters`, whose `held` tells what is held of their interface, outlive what is held.
  void add(const Packet& packet, std::uint64_t flow_id, nids_agent_counters& counters);

  // Gives back what is held of the flow, in the order in which it came, and holds it no more: from
  // there on it is the caller's to count.
  using Taker = std::function<void(const Packet&, nids_agent_counters&)>;
  void release(std::uint64_t flow_id, const Taker& take);

  // Lets go of what is `time` or more away from `now`, in either direction of time.
  void expire(WallTime now);
  // Lets go of all: not kept by policy.
  void clear();

  std::size_t packets() const { return held_.size(); }
  std::uint64_t used_bytes() const { return used_bytes_; }  // of the budget

 private:
  struct Held;
  using Place = std::list<Held>::iterator;
  struct Queue {  // of one flow: its packets are chained, and go in the order in which they came
    Place first, last;
  };
  struct Held {
    OwnedPacket packet;
    std::uint64_t flow_id = 0;
    nids_agent_counters* counters = nullptr;
    Place next;  // of the same flow; good where it is not the last of it
  };

  static std::uint64_t cost_of(const Packet& packet);
  void take_out(Place place);
  void drop_oldest();

  Limits limits_;
  std::list<Held> held_;  // oldest first
  // A secret hash, because ids can be predicted, and attackers could choose collisions.
  std::unordered_map<std::uint64_t, Queue, SecretHash<std::uint64_t>> flows_;
  std::uint64_t used_bytes_ = 0;
};

}  // namespace nids
