// SPDX-License-Identifier: Apache-2.0
#include "source/flow_reader.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

#include "net/flow_key.h"
#include "net/flow_slot.h"
#include "nids/abi/packed_key.h"
#include "nids/abi/shard.h"

namespace nids {
namespace {

// A CPU is between two packets most of the time; one that never is keeps its slot for later.
constexpr int kTries = 100;

FlowIdentity identity_of(const nids_flow4& slot) {
  FlowIdentity flow;
  nids_unpack_flow4(&slot.key, &flow.key);
  return flow;
}

FlowIdentity identity_of(const nids_flow6& slot) {
  FlowIdentity flow;
  nids_unpack_slot6(&slot.key, &slot.tunnel, &flow.key, &flow.tunnel);
  return flow;
}

std::uint32_t fingerprint_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash); }

std::uint32_t load(const std::uint32_t& shared) {
  return __atomic_load_n(&shared, __ATOMIC_RELAXED);
}

// Whether the agent that wrote the slot's command has told of it.
bool is_reported(const nids_flow_state& state) {
  return state.command >> NIDS_COMMAND_BITS == state.generation &&
         (state.command & NIDS_COMMAND_REPORTED) != 0;
}

bool is_bypassed(const nids_flow_state& state) {
  return state.command >> NIDS_COMMAND_BITS == state.generation &&
         (state.command & NIDS_COMMAND_INTEREST) == NIDS_INTEREST_BYPASS;
}

// calloc gives large blocks as untouched pages.
template <class T>
std::unique_ptr<T[], void (*)(T*)> zeroed(std::size_t count) {
  auto* memory = static_cast<T*>(std::calloc(count, sizeof(T)));
  if (!memory && count != 0) throw std::bad_alloc();
  return {memory, [](T* p) { std::free(p); }};
}

}  // namespace

template <class Slot>
FlowReader::Table<Slot>::Table(void* all, std::uint32_t all_sets, const FlowTables& tables,
                               std::uint32_t worker)
    : slots(static_cast<Slot*>(all)),
      sets_per_cpu(all_sets),
      first_set(nids_first_set_of_ring(worker, all_sets, tables.rings)),
      sets(nids_first_set_of_ring(worker + 1, all_sets, tables.rings) - first_set),
      told(zeroed<Told>(std::size_t{tables.cpus} * sets * NIDS_WAYS)) {}

FlowReader::FlowReader(const FlowTables& tables, bool again, std::uint32_t worker)
    : tables_(tables),
      again_(again),
      ipv4_(tables.sets4, tables.sets4_per_cpu, tables, worker),
      ipv6_(tables.sets6, tables.sets6_per_cpu, tables, worker) {}

// As it is between two packets of its CPU: `started` is raised before all else, `finished` after.
template <class Slot>
bool FlowReader::copy(std::size_t cpu, const Slot& shared, Slot& slot) const {
  const nids_counters& block = tables_.counters[cpu];
  for (int i = 0; i < kTries; ++i) {
    const std::uint64_t finished = __atomic_load_n(&block.finished, __ATOMIC_ACQUIRE);
    std::uint64_t words[sizeof(Slot) / 8];
    const auto* from = reinterpret_cast<const std::uint64_t*>(&shared);
    for (std::size_t word = 0; word < std::size(words); ++word)
      words[word] = __atomic_load_n(from + word, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    std::memcpy(&slot, words, sizeof(slot));
    if (__atomic_load_n(&block.started, __ATOMIC_RELAXED) == finished) return true;
  }
  return false;
}

std::uint64_t FlowReader::hash_of(const FlowIdentity& flow) const {
  return nids_flow_hash_of(&flow.key, &flow.tunnel, tables_.hash_keys.data());
}

FlowPart FlowReader::part_of(const FlowIdentity& flow, const nids_flow_state& state) const {
  FlowPart part{.key = flow.key, .tunnel = flow.tunnel, .ifindex = tables_.ifindex};
  std::memcpy(part.tcp_flags, state.tcp_flags, sizeof(part.tcp_flags));
  part.events = state.events;
  // The agent can write to slots, so another process does not trust them.
  const auto known = [](std::uint8_t id) { return id < NIDS_CLASS_MAX ? id : std::uint8_t{0}; };
  part.class_id = known(state.class_id);
  part.other_class = known(state.other_class);
  part.opener_is_hi = (state.flags & NIDS_FLOW_OPENER_HI) != 0;
  part.is_bypassed = is_bypassed(state);
  return part;
}

template <class Slot>
FlowReader::Bytes FlowReader::Table<Slot>::told_bytes(std::size_t index) const {
  const Told& one = told[index];
  Bytes bytes{one.low_bytes[0], one.low_bytes[1]};
  if (one.is_large)
    for (std::size_t i = 0; i < 2; ++i) bytes[i] += high_bytes.at(index)[i];
  return bytes;
}

template <class Slot>
void FlowReader::Table<Slot>::set_told(std::size_t index, std::uint32_t fingerprint,
                                       const nids_flow_state& state) {
  Told& one = told[index];
  one.generation = state.generation & NIDS_GENERATION_MAX;
  one.fingerprint = fingerprint;
  Bytes high;
  for (std::size_t i = 0; i < 2; ++i) {
    one.packets[i] = state.packets[i];
    one.low_bytes[i] = static_cast<std::uint32_t>(state.bytes[i]);
    high[i] = state.bytes[i] - one.low_bytes[i];
  }
  const bool is_large = (high[0] | high[1]) != 0;
  if (is_large)
    high_bytes[index] = high;
  else if (one.is_large)
    high_bytes.erase(index);
  one.is_large = is_large;
}

template <class Slot>
void FlowReader::Table<Slot>::restart(std::size_t index, std::uint32_t generation) {
  Told& one = told[index];
  if (one.is_large) high_bytes.erase(index);
  const std::uint32_t fingerprint = one.fingerprint;
  one = {};
  one.generation = generation & NIDS_GENERATION_MAX;
  one.fingerprint = fingerprint;
}

template <class Slot>
std::optional<std::size_t> FlowReader::find(const Table<Slot>& table,
                                            const ExportedFlow& flow) const {
  if (flow.cpu >= tables_.cpus || !table.has(flow.set)) return std::nullopt;
  const std::uint64_t hash = hash_of({flow.key, flow.tunnel});
  for (std::uint32_t way = 0; way < NIDS_WAYS; ++way) {
    const std::size_t index = table.index(flow.cpu, flow.set, way);
    const Told& told = table.told[index];
    if (told.generation == flow.state.generation && told.fingerprint == fingerprint_of(hash))
      return index;
  }
  return std::nullopt;
}

template <class Slot>
void FlowReader::exported(Table<Slot>& table, const ExportedFlow& flow, const Sink& sink) {
  FlowPart part = part_of({flow.key, flow.tunnel}, flow.state);
  const auto index = find(table, flow);
  const Bytes told_bytes = index ? table.told_bytes(*index) : Bytes{};
  for (std::size_t i = 0; i < 2; ++i) {
    part.packets[i] = flow.state.packets[i] - (index ? table.told[*index].packets[i] : 0);
    part.bytes[i] = flow.state.bytes[i] - told_bytes[i];
  }
  part.history = flow.history;
  part.created = flow.created;
  part.last = flow.last;
  part.is_ended = flow.cause == NIDS_EXPORT_ENDED;
  part.is_continued = is_reported(flow.state);
  if (index) table.restart(*index, flow.cause == NIDS_EXPORT_FULL ? flow.state.generation : 0);
  // What an agent before us told of a slot that we never saw is not told again.
  if (index || !part.is_continued) sink(part);
}

void FlowReader::exported(const ExportedFlow& flow, const Sink& sink) {
  if (nids_is_in_table4(&flow.key))
    exported(ipv4_, flow, sink);
  else
    exported(ipv6_, flow, sink);
}

// Returns whether the slot has to wait.
template <class Slot>
bool FlowReader::look(Table<Slot>& table, std::size_t index, const Slot& shared,
                      const TickClock& clock, const Sink& sink) {
  const Told& told = table.told[index];
  const std::uint32_t generation = load(shared.state.generation);
  if (generation == told.generation && load(shared.state.packets[0]) == told.packets[0] &&
      load(shared.state.packets[1]) == told.packets[1])
    return false;
  Slot slot;
  if (!copy(table.cpu_of(index), shared, slot)) return true;
  const nids_flow_state& state = slot.state;
  const FlowIdentity flow = identity_of(slot);
  const std::uint64_t hash = hash_of(flow);
  const bool is_known = told.generation == state.generation;
  // Its old flow's record, or that of its full count, is still in the ring.
  if (told.generation != 0 && !is_known) return true;
  if (is_known && (state.packets[0] < told.packets[0] || state.packets[1] < told.packets[1]))
    return true;
  FlowPart part = part_of(flow, state);
  const bool is_news = is_known || again_ || !is_reported(state);
  const Bytes told_bytes = table.told_bytes(index);
  for (std::size_t i = 0; i < 2; ++i) {
    part.packets[i] = state.packets[i] - told.packets[i];
    part.bytes[i] = state.bytes[i] - told_bytes[i];
  }
  table.set_told(index, fingerprint_of(hash), state);
  if (!is_news) return false;
  part.history = nids_cell_history(tables_.cells, tables_.cell_bits, hash);
  part.created = clock.wall(state.created_ticks);
  part.last = clock.wall(state.last_ticks);
  part.is_continued = is_reported(state);
  sink(part);
  return false;
}

template <class Slot>
void FlowReader::look_at(Table<Slot>& table, std::size_t from, std::size_t to,
                         const TickClock& clock, const Sink& sink) {
  // A new flow begins anywhere in its set, so that what is after an unused slot may be in use.
  for (std::size_t index = from; index < to;) {
    const std::size_t end = std::min(to, (table.cpu_of(index) + 1) * table.slots_per_cpu());
    for (const Slot* slot = &table.slot(index); index < end; ++index, ++slot)
      if (load(slot->state.generation) != 0)
        waiting_so_far_ += look(table, index, *slot, clock, sink);
  }
}

bool FlowReader::scan_some(const TickClock& clock, std::size_t slots, const Sink& sink) {
  const std::size_t ipv4 = tables_.cpus * ipv4_.slots_per_cpu();
  const std::size_t all = ipv4 + tables_.cpus * ipv6_.slots_per_cpu();
  const std::size_t from = next_, to = from + std::min(slots, all - from);
  look_at(ipv4_, std::min(from, ipv4), std::min(to, ipv4), clock, sink);
  look_at(ipv6_, std::max(from, ipv4) - ipv4, std::max(to, ipv4) - ipv4, clock, sink);
  next_ = to;
  if (to != all) return false;
  waiting_ = waiting_so_far_;
  start_again();
  return true;
}

std::uint64_t FlowReader::scan(const TickClock& clock, const Sink& sink) {
  start_again();
  scan_some(clock, std::numeric_limits<std::size_t>::max(), sink);
  return waiting_;
}

template <class Slot>
void FlowReader::mark(Table<Slot>& table, const FlowIdentity& flow, std::uint64_t hash) {
  const auto set = static_cast<std::uint32_t>(hash >> 32 & (table.sets_per_cpu - 1));
  if (!table.has(set)) return;
  for (std::uint32_t cpu = 0; cpu < tables_.cpus; ++cpu)
    for (std::uint32_t way = 0; way < NIDS_WAYS; ++way) {
      const std::size_t index = table.index(cpu, set, way);
      const Told& told = table.told[index];
      if (told.generation == 0 || told.fingerprint != fingerprint_of(hash)) continue;
      Slot& slot = table.slot(index);
      nids_flow_state& state = slot.state;
      if (identity_of(slot) != flow) continue;
      const std::uint32_t command = load(state.command);
      const std::uint32_t word = command >> NIDS_COMMAND_BITS == told.generation
                                     ? command & NIDS_COMMAND_WORD
                                     : NIDS_COMMAND_NONE;
      __atomic_store_n(
          &state.command,
          std::uint32_t{told.generation} << NIDS_COMMAND_BITS | NIDS_COMMAND_REPORTED | word,
          __ATOMIC_RELEASE);
    }
}

void FlowReader::mark_reported(const FlowIdentity& flow) {
  const std::uint64_t hash = hash_of(flow);
  if (nids_is_in_table4(&flow.key))
    mark(ipv4_, flow, hash);
  else
    mark(ipv6_, flow, hash);
}

}  // namespace nids
