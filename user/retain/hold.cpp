// SPDX-License-Identifier: Apache-2.0
#include "retain/hold.hpp"

#include "nids/sum.hpp"

namespace nids {
namespace {

// What the allocator and the containers need beside what they hold: two links and a block's head
// for a packet, a block's head for its bytes; the same for a flow, with its hash and its bucket.
// Flows are counted as if each packet were of its own: a bound that no choice of flows passes.
constexpr std::uint64_t kPacketOverhead_bytes = 2 * sizeof(void*) + 16 + 16;
constexpr std::uint64_t kFlowOverhead_bytes = 4 * sizeof(void*) + 16;

std::uint64_t distance(WallTime a, WallTime b) { return a.ns > b.ns ? a.ns - b.ns : b.ns - a.ns; }

}  // namespace

Hold::Hold(Limits limits) : limits_(limits) {}

std::uint64_t Hold::cost_of(const Packet& packet) {
  return sizeof(Held) + kPacketOverhead_bytes + packet.bytes.size() +
         sizeof(decltype(flows_)::value_type) + kFlowOverhead_bytes;
}

void Hold::add(const Packet& packet, std::uint64_t flow_id, nids_agent_counters& counters) {
  expire(packet.time);
  const std::uint64_t cost = cost_of(packet);
  if (cost > limits_.budget_bytes) {
    counters.not_kept_by_policy += one_packet(packet.bytes.size());
    return;
  }
  while (used_bytes_ > limits_.budget_bytes - cost) drop_oldest();

  const Place place = held_.insert(held_.end(), Held{OwnedPacket(packet), flow_id, &counters, {}});
  const auto [queue, is_first] = flows_.try_emplace(flow_id, Queue{place, place});
  if (!is_first) {
    queue->second.last->next = place;
    queue->second.last = place;
  }
  used_bytes_ += cost;
  counters.held += one_packet(packet.bytes.size());
}

// Of the packets of a flow always the first one goes.
void Hold::take_out(Place place) {
  const auto queue = flows_.find(place->flow_id);
  if (queue->second.last == place)
    flows_.erase(queue);
  else
    queue->second.first = place->next;
  place->counters->held -= one_packet(place->packet.bytes.size());
  used_bytes_ -= cost_of(place->packet);
}

void Hold::release(std::uint64_t flow_id, const Taker& take) {
  for (auto queue = flows_.find(flow_id); queue != flows_.end(); queue = flows_.find(flow_id)) {
    std::list<Held> one;
    const Place first = queue->second.first;
    take_out(first);
    one.splice(one.begin(), held_, first);
    take(one.front().packet, *one.front().counters);
  }
}

void Hold::drop_oldest() {
  const Place oldest = held_.begin();
  take_out(oldest);
  oldest->counters->not_kept_by_policy += one_packet(oldest->packet.bytes.size());
  held_.erase(oldest);
}

void Hold::expire(WallTime now) {
  const auto limit = static_cast<std::uint64_t>(limits_.time.count());
  while (!held_.empty() && distance(held_.front().packet.time, now) >= limit) drop_oldest();
}

void Hold::clear() {
  while (!held_.empty()) drop_oldest();
}

}  // namespace nids
