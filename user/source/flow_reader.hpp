// SPDX-License-Identifier: Apache-2.0
// Reads the flow tables of the first pass, and the slots that it exports, and tells of each slot
// what has not been told yet: so that the parts of a flow add up to what its packets were. Joins
// nothing.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "decode/exported_flow.hpp"
#include "decode/flow_part.hpp"
#include "net/flow_identity.hpp"
#include "nids/abi/config.h"
#include "nids/abi/counters.h"

namespace nids {

// The tables, which somebody else owns and writes. Those of a CPU follow one another.
struct FlowTables {
  const nids_counters* counters = nullptr;  // a block a CPU
  nids_flow4_set* sets4 = nullptr;
  nids_flow6_set* sets6 = nullptr;
  nids_flow_cell* cells = nullptr;
  std::uint32_t cpus = 0;
  std::uint32_t sets4_per_cpu = 0;
  std::uint32_t sets6_per_cpu = 0;
  std::uint32_t cell_bits = 0;
  std::uint32_t rings = 1;  // readers that share the tables, see nids/abi/shard.h
  std::array<__u64, NIDS_HASH_KEYS> hash_keys{};
  std::uint32_t ifindex = 0;
};

// What a tick of a slot means.
struct TickClock {
  std::uint32_t now_ticks = 0;
  std::uint32_t tick_ns = 1;
  WallTime now;

  // Ticks wrap: what they tell is how long ago it was. A slot that was written after `now` is of
  // now, and not of a whole wrap ago.
  WallTime wall(std::uint32_t ticks) const {
    const std::uint32_t ago_ticks = now_ticks - ticks;
    const bool is_ahead = ago_ticks > 0u - NIDS_TICKS_AHEAD;
    const std::uint64_t ago_ns = is_ahead ? 0 : std::uint64_t{ago_ticks} * tick_ns;
    return {now.ns > ago_ns ? now.ns - ago_ns : 0};
  }
};

class FlowReader {
 public:
  using Sink = std::function<void(const FlowPart&)>;

  // Reads the sets of ring `worker`, which is below `tables.rings`. `again`: also reads what an
  // earlier agent has reported, for a reader that only looks.
  explicit FlowReader(const FlowTables& tables, bool again = false, std::uint32_t worker = 0);

  // A record of the reader's ring, in the order of the ring.
  void exported(const ExportedFlow& flow, const Sink& sink);

  // Every slot that has grown. Right whatever the rings still hold: a slot that has changed hands
  // since it was told waits for the record of the flow before. Call it when all records that the
  // rings held at some moment since the last call have been given to exported(), so that no slot
  // waits twice for one record. Returns how many wait.
  std::uint64_t scan(const TickClock& clock, const Sink& sink);
  // The same a piece at a time: looks at so many of its slots more, from where the last call ended.
  // Returns whether the last slot was among them; the next call then begins with the first.
  bool scan_some(const TickClock& clock, std::size_t slots, const Sink& sink);
  void start_again() { next_ = waiting_so_far_ = 0; }
  std::uint64_t waiting() const { return waiting_; }  // in the last scan that came to its end

  // To the next agent: what the slots of this flow hold has been told. Called after scan().
  void mark_reported(const FlowIdentity& flow);

 private:
  // Of a slot as it was when it was told last.
  struct Told {
    std::uint32_t generation : 24 = 0;  // 0: nothing of what is in the slot now
    std::uint32_t is_large : 1 = 0;     // then `high_bytes` has the rest
    std::uint32_t fingerprint = 0;      // of the key
    std::uint32_t packets[2]{};
    std::uint32_t low_bytes[2]{};
  };
  static_assert(sizeof(Told) == 24 && NIDS_GENERATION_MAX == (1u << 24) - 1);
  using Bytes = std::array<std::uint64_t, 2>;  // by enum nids_sender

  // The reader's sets of a table. An index numbers the slots of these sets: first those of the
  // first CPU, then those of the next.
  template <class Slot>
  struct Table {
    Table(void* all, std::uint32_t all_sets, const FlowTables& tables, std::uint32_t worker);
    Slot* slots;  // of the complete table, all readers' sets
    std::uint32_t sets_per_cpu;
    std::uint32_t first_set, sets;  // the reader's
    // Anonymous memory: pages of slots that are never used are never there.
    std::unique_ptr<Told[], void (*)(Told*)> told;
    // Of the slots, by index, of which 4 GiB and more were told: multiples of that.
    std::unordered_map<std::size_t, Bytes> high_bytes{};
    Bytes told_bytes(std::size_t index) const;
    void set_told(std::size_t index, std::uint32_t fingerprint, const nids_flow_state& state);
    // What counts from now on begins at 0, and is of this generation; 0: of another flow.
    void restart(std::size_t index, std::uint32_t generation);
    std::size_t slots_per_cpu() const { return std::size_t{sets} * NIDS_WAYS; }
    std::size_t cpu_of(std::size_t index) const { return index / slots_per_cpu(); }
    bool has(std::uint32_t set) const { return set - first_set < sets; }
    std::size_t index(std::uint32_t cpu, std::uint32_t set, std::uint32_t way) const {
      return (std::size_t{cpu} * sets + set - first_set) * NIDS_WAYS + way;
    }
    Slot& slot(std::size_t index) const {
      const std::size_t set = cpu_of(index) * sets_per_cpu + first_set;
      return slots[set * NIDS_WAYS + index % slots_per_cpu()];
    }
  };

  template <class Slot>
  bool copy(std::size_t cpu, const Slot& shared, Slot& slot) const;
  template <class Slot>
  bool look(Table<Slot>& table, std::size_t index, const Slot& shared, const TickClock& clock,
            const Sink& sink);
  template <class Slot>
  void look_at(Table<Slot>& table, std::size_t from, std::size_t to, const TickClock& clock,
               const Sink& sink);
  template <class Slot>
  std::optional<std::size_t> find(const Table<Slot>& table, const ExportedFlow& flow) const;
  template <class Slot>
  void exported(Table<Slot>& table, const ExportedFlow& flow, const Sink& sink);
  template <class Slot>
  void mark(Table<Slot>& table, const FlowIdentity& flow, std::uint64_t hash);
  FlowPart part_of(const FlowIdentity& flow, const nids_flow_state& state) const;
  std::uint64_t hash_of(const FlowIdentity& flow) const;

  FlowTables tables_;
  bool again_;
  Table<nids_flow4> ipv4_;
  Table<nids_flow6> ipv6_;
  // Of the scan under way: slots of both tables in a row, those of IPv4 first.
  std::size_t next_ = 0;
  std::uint64_t waiting_so_far_ = 0, waiting_ = 0;
};

}  // namespace nids
