// SPDX-License-Identifier: Apache-2.0
// The flows that are going on: what each CPU counted of them, joined, and what packets that came
// up told. Bounded: at the cap the one silent longest is told and goes. Says nothing itself; what
// ends is given to a sink.
#pragma once

#include <array>
#include <bitset>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "decode/flow_part.hpp"
#include "decode/packet.hpp"
#include "flow/chunks.hpp"
#include "flow/flow.hpp"
#include "flow/flow_index.hpp"
#include "flow/flow_ref.hpp"
#include "net/links.hpp"

namespace nids {

class FlowTable {
 public:
  struct Limits {
    std::size_t max_flows = 262'144;  // 140 bytes each
    std::uint16_t community_id_seed = 0;
    // How long it may be silent, by FlowPhase. A replaced flow waits for parts on their way.
    std::array<std::chrono::milliseconds, kFlowPhases> timeout{
        std::chrono::seconds(60), std::chrono::seconds(600), std::chrono::seconds(5),
        std::chrono::seconds(60), std::chrono::seconds(60),  std::chrono::seconds(60),
        std::chrono::seconds(3)};
    Links links{};  // the flows of their interfaces join
  };
  // Takes a flow that is told, before it is forgotten. A flow that has nothing to tell since its
  // last record is not.
  using Sink = std::function<void(const Flow&, FlowReason)>;
  static constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();

  FlowTable(const Limits& limits, Sink sink);
  FlowTable(const FlowTable&) = delete;  // the index points at the pool

  // The packet's flow; a new one where it is not known, or where a SYN begins the old one's ports
  // again. Fills in `sender` of the packet and corrects `from_opener`.
  FlowRef track(Packet& packet);

  // The flow of a handle; null if the flow is over. The pointer is valid until the next call of
  // track(), add(), expire() or end_all().
  Flow* find(FlowRef flow) {
    const bool is_there = flow.index != kNone && flow.index < pool_.size() &&
                          generations_[flow.index] == flow.generation && at(flow.index) != nullptr;
    return is_there ? &pool_[flow.index] : nullptr;
  }

  // What is known of a packet that belongs to no flow; remembered nowhere.
  static Flow stranger(const Packet& packet);

  // Joins it to its flow, which may have been replaced meanwhile.
  void add(const FlowPart& part);

  // After a step of the wall clock, by which all times of `expire()` and of packets step too.
  void shift(std::int64_t step_ns);
  // Call after each scan of the tables. Reports the flows that are over at `now`, at most `flows`
  // in a call. Returns false if more may be left: call it again before the next scan.
  bool expire(WallTime now, std::size_t flows = kAll);
  // The same for flows that go on and were not reported for `interval`.
  bool tell_long_ones(WallTime now, std::chrono::nanoseconds interval, std::size_t flows = kAll);
  // Tells all: the end.
  void end_all(FlowReason reason);

  // What has not been told; of a flow that goes on and is looked at, all.
  FlowRecord record_of(const Flow& flow, FlowReason reason) const;
  FlowRecord live_record_of(const Flow& flow) const;

  // Place and flow; a place is good for at() as long as the flow there has the same id.
  template <class Visitor>
  void each(Visitor visitor) const {
    for (const List& list : lists_)
      for (std::uint32_t at = list.first; at != kNone; at = pool_[at].next) visitor(at, pool_[at]);
  }
  // The same bit by bit: places are below end_of_places(), and null where no flow is.
  std::uint32_t end_of_places() const { return static_cast<std::uint32_t>(pool_.size()); }
  const Flow* at(std::uint32_t place) const {
    return pool_[place].key.ip_version != 0 ? &pool_[place] : nullptr;
  }
  const Flow* at(std::uint32_t place, std::uint64_t id) const {
    return place != kNone && place < pool_.size() && pool_[place].id == id ? &pool_[place]
                                                                           : nullptr;
  }

  // The class indexes that flows of the table have.
  std::bitset<256> classes() const;
  // Replaces each class index of each flow by the element of `to` at that index.
  void change_classes(std::span<const std::uint8_t, 256> to);

  // Called at the start, each change and the end of each flow that was counted. It may not change
  // the table.
  using Observer = std::function<void(FlowRef, Flow&, FlowChange)>;
  void observe(Observer observer) { observer_ = std::move(observer); }

  std::size_t size() const { return pool_.size() - free_.size() - 1; }
  std::size_t limit() const { return limits_.max_flows; }
  const Links& links() const { return limits_.links; }
  std::uint64_t evictions() const { return evictions_; }
  std::uint16_t community_id_seed() const { return limits_.community_id_seed; }

 private:
  static constexpr std::uint32_t kNone = FlowIndex::kNone;

  struct List {
    std::uint32_t first = kNone, last = kNone;  // the one touched last is last
  };

  std::uint32_t open(const FlowIdentity& flow, std::uint32_t link, WallTime start);
  std::uint32_t replace(std::uint32_t place, WallTime start);
  void move_to_replaced(std::uint32_t place);
  void connect(std::uint32_t older, std::uint32_t newer);
  std::uint32_t open_late(const FlowPart& part);
  void make_room();
  void touch(std::uint32_t place);
  void unlink(std::uint32_t place);
  void append(std::uint32_t place);
  void forget(std::uint32_t place);
  void tell(std::uint32_t place, FlowReason reason);
  FlowRef ref_of(std::uint32_t place) const { return {place, generations_[place]}; }
  bool is_over(const Flow& flow, WallTime now) const;
  void set_back(WallTime now);
  std::uint32_t flow_of(const FlowPart& part);
  std::uint32_t flow_of(const FlowIdentity& identity, const Packet& packet, bool& is_new);
  bool is_joined(const Flow& flow) const { return limits_.links.find(flow.link) != nullptr; }
  static bool is_of_older(const FlowPart& part, const Flow& flow);

  Limits limits_;
  Sink sink_;
  Observer observer_;
  Chunks<Flow> pool_;
  std::vector<std::uint32_t> generations_;  // by place
  std::vector<std::uint32_t> free_;
  std::array<List, kFlowPhases> lists_;
  FlowIndex index_;
  std::uint32_t scan_ = 0;
  bool is_expiring_ = false;         // expire() has more to report
  std::uint32_t next_long_one_ = 0;  // where tell_long_ones() goes on
  WallTime now_;                     // of the last scan
  std::uint64_t evictions_ = 0;
};

}  // namespace nids
