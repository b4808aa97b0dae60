// SPDX-License-Identifier: Apache-2.0
// Slots as a reader finds them, in tables of the test's own: so that it can set counts, ticks and
// generations there that no packets would bring about, and read between any two steps of a CPU.
#include "source/flow_reader.hpp"
#include "net/flow_key.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "firstpass/first_pass.hpp"
#include "nids/abi/shard.h"

namespace nids {
namespace {

constexpr std::uint32_t kCpus = 2, kSets = 4, kCellBits = 6;
constexpr std::uint32_t kFull = 1u << 31;
constexpr std::uint32_t kTick_ns = 1'000'000;
constexpr std::uint32_t kReported = NIDS_COMMAND_REPORTED;

nids_flow_key key_of(std::uint16_t port, std::uint8_t ip_version = 4) {
  nids_flow_key key{};
  key.lo_addr[0] = key.hi_addr[0] = 10;
  key.lo_addr[3] = 1;
  key.hi_addr[3] = 2;
  key.lo_port = 22;
  key.hi_port = port;
  key.l4_proto = 6;
  key.ip_version = ip_version;
  return key;
}

std::uint32_t command(std::uint32_t generation, std::uint32_t what) {
  return generation << NIDS_COMMAND_BITS | what;
}

class FlowReaderTest : public testing::Test {
 protected:
  FlowReaderTest() { restart(); }

  // As the next agent finds the tables.
  void restart() { reader_ = std::make_unique<FlowReader>(tables()); }

  FlowTables tables(std::uint32_t rings = 1) {
    FlowTables tables{.counters = counters_.data(),
                      .sets4 = sets4_.data(),
                      .sets6 = sets6_.data(),
                      .cells = cells_.data(),
                      .cpus = kCpus,
                      .sets4_per_cpu = kSets,
                      .sets6_per_cpu = kSets,
                      .cell_bits = kCellBits,
                      .rings = rings,
                      .ifindex = 7};
    std::ranges::copy(hash_keys_of(1), tables.hash_keys.begin());
    hash_keys_ = tables.hash_keys;
    return tables;
  }

  std::uint64_t hash_of(const nids_flow_key& key) const {
    const nids_flow_tunnel none{};
    return nids_flow_hash_of(&key, &none, hash_keys_.data());
  }
  std::uint32_t set_of(const nids_flow_key& key) const {
    return static_cast<std::uint32_t>(hash_of(key) >> 32 & (kSets - 1));
  }

  // The flow's slot of a CPU, in the first way of its set.
  nids_flow_state& slot(const nids_flow_key& key, std::uint32_t cpu = 0) {
    const std::uint32_t index = cpu * kSets + set_of(key);
    return key.ip_version == 4 ? sets4_[index].way[0].state : sets6_[index].way[0].state;
  }

  template <class Packed>
  static void pack(const nids_flow_key& key, Packed& packed) {
    std::memcpy(&packed.lo_addr, key.lo_addr, sizeof(packed.lo_addr));
    std::memcpy(&packed.hi_addr, key.hi_addr, sizeof(packed.hi_addr));
    packed.lo_port = key.lo_port;
    packed.hi_port = key.hi_port;
    packed.tail = std::uint32_t{key.l4_proto} << 24;
  }

  // As if a CPU had opened the slot for the flow.
  nids_flow_state& open(const nids_flow_key& key, std::uint32_t cpu = 0) {
    const std::uint32_t index = cpu * kSets + set_of(key);
    nids_flow_state& state = slot(key, cpu);
    const std::uint32_t generation = state.generation + 1, command = state.command;
    state = {.created_ticks = ticks_,
             .last_ticks = ticks_,
             .command = command,
             .generation = generation};
    if (key.ip_version == 4)
      pack(key, sets4_[index].way[0].key);
    else
      pack(key, sets6_[index].way[0].key);
    return state;
  }
  void count(nids_flow_state& state, std::uint32_t packets, int sender = NIDS_FROM_LO) {
    state.packets[sender] += packets;
    state.bytes[sender] += std::uint64_t{packets} * 100;
    state.last_ticks = ticks_;
    counted_ += packets;
  }

  // What a CPU sends up of a slot before it is another's, or before its counts begin anew.
  ExportedFlow taken(const nids_flow_key& key, nids_export cause, std::uint32_t cpu = 0) {
    ExportedFlow flow{.key = key,
                      .state = slot(key, cpu),
                      .history = 0x21,
                      .created = {1},
                      .last = {2},
                      .cause = cause,
                      .ifindex = 7,
                      .set = set_of(key),
                      .cpu = static_cast<std::uint16_t>(cpu)};
    if (cause == NIDS_EXPORT_FULL) {
      nids_flow_state& state = slot(key, cpu);
      state.packets[0] = state.packets[1] = 0;
      state.bytes[0] = state.bytes[1] = 0;
      state.flags |= NIDS_FLOW_CONTINUES;
    }
    return flow;
  }

  std::uint64_t scan() {
    return reader_->scan({.now_ticks = ticks_, .tick_ns = kTick_ns, .now = now_}, sink());
  }
  void exported(const ExportedFlow& flow) { reader_->exported(flow, sink()); }
  FlowReader::Sink sink() {
    return [this](const FlowPart& part) { parts_.push_back(part); };
  }

  std::uint64_t told() const {
    std::uint64_t sum = 0;
    for (const FlowPart& part : parts_) sum += part.packets[0] + part.packets[1];
    return sum;
  }
  std::uint64_t told_bytes() const {
    std::uint64_t sum = 0;
    for (const FlowPart& part : parts_) sum += part.bytes[0] + part.bytes[1];
    return sum;
  }

  std::vector<nids_counters> counters_{kCpus};
  std::vector<nids_flow4_set> sets4_{kCpus * kSets};
  std::vector<nids_flow6_set> sets6_{kCpus * kSets};
  std::vector<nids_flow_cell> cells_{1u << kCellBits};
  std::array<__u64, NIDS_HASH_KEYS> hash_keys_{};
  std::unique_ptr<FlowReader> reader_;
  std::vector<FlowPart> parts_;
  std::uint64_t counted_ = 0;  // by count()
  std::uint32_t ticks_ = 1000;
  WallTime now_{1'000'000'000'000};
};

TEST_F(FlowReaderTest, GrowthIsToldOnce) {
  for (const std::uint8_t version : {std::uint8_t{4}, std::uint8_t{6}}) {
    parts_.clear();
    const auto key = key_of(40'000, version);
    nids_flow_state& state = open(key);
    state.class_id = 3;
    state.flags = NIDS_FLOW_OPENER_HI;
    state.events = 0x41;
    state.tcp_flags[1] = 0x12;
    count(state, 5);
    EXPECT_EQ(scan(), 0u);
    EXPECT_EQ(scan(), 0u);
    ASSERT_EQ(parts_.size(), 1u);
    EXPECT_EQ(std::memcmp(&parts_[0].key, &key, sizeof(key)), 0);
    EXPECT_EQ(parts_[0].ifindex, 7u);
    EXPECT_EQ(parts_[0].packets[NIDS_FROM_LO], 5u);
    EXPECT_EQ(parts_[0].bytes[NIDS_FROM_LO], 500u);
    EXPECT_EQ(parts_[0].events, 0x41);
    EXPECT_EQ(parts_[0].tcp_flags[1], 0x12);
    EXPECT_EQ(parts_[0].class_id, 3);
    EXPECT_TRUE(parts_[0].opener_is_hi);
    EXPECT_FALSE(parts_[0].is_ended || parts_[0].is_continued || parts_[0].is_bypassed);

    count(state, 2, NIDS_FROM_HI);
    scan();
    ASSERT_EQ(parts_.size(), 2u);
    EXPECT_EQ(parts_[1].packets[NIDS_FROM_LO], 0u);
    EXPECT_EQ(parts_[1].packets[NIDS_FROM_HI], 2u);
    EXPECT_EQ(parts_[1].bytes[NIDS_FROM_HI], 200u);
  }
}

TEST_F(FlowReaderTest, EachCpuHasASlotOfItsOwn) {
  const auto key = key_of(40'000);
  count(open(key, 0), 3);
  count(open(key, 1), 4, NIDS_FROM_HI);
  scan();
  EXPECT_EQ(parts_.size(), 2u);
  EXPECT_EQ(told(), 7u);
}

TEST_F(FlowReaderTest, EmptyTablesTellNothing) {
  EXPECT_EQ(scan(), 0u);
  EXPECT_TRUE(parts_.empty());
}

TEST_F(FlowReaderTest, WhatIsAfterAnUnusedSlotIsTold) {
  const auto key = key_of(40'000);
  count(open(key), 5);
  auto& set = sets4_[set_of(key)];
  set.way[5] = std::exchange(set.way[0], {});
  scan();
  EXPECT_EQ(told(), 5u);
}

TEST_F(FlowReaderTest, APieceAtATimeTellsTheSameWhileRecordsWaitInTheRing) {
  for (const std::size_t slots : {1u, 3u, 64u, 127u, 128u, 1'000u}) {
    SCOPED_TRACE(slots);
    std::ranges::fill(sets4_, nids_flow4_set{});
    std::ranges::fill(sets6_, nids_flow6_set{});
    restart();
    parts_.clear();
    counted_ = 0;
    const auto key = key_of(40'000), other = key_of(40'001, 6);
    std::vector<ExportedFlow> ring;  // never empty
    std::size_t scans = 0;
    for (std::uint32_t round = 1; round < 2'000; ++round) {
      for (const auto& [flow, cpu] : {std::pair{key, 0u}, {other, 1u}}) {
        if (slot(flow, cpu).generation != 0) ring.push_back(taken(flow, NIDS_EXPORT_EVICTED, cpu));
        count(open(flow, cpu), round);
      }
      scans += reader_->scan_some({.now_ticks = ticks_, .tick_ns = kTick_ns, .now = now_}, slots,
                                  sink());
      for (; ring.size() > 5; ring.erase(ring.begin())) exported(ring.front());
    }
    const std::size_t all = 2 * kCpus * kSets * NIDS_WAYS;
    EXPECT_EQ(scans, 1'999 / ((all + slots - 1) / slots));
    for (const ExportedFlow& one : ring) exported(one);
    EXPECT_EQ(scan(), 0u);
    EXPECT_EQ(told(), counted_);
    EXPECT_EQ(told_bytes(), counted_ * 100);
  }
}

// All workers together report what one reader reports, each the flows of its ring.
TEST_F(FlowReaderTest, ReadersThatShareTheTablesReportEachFlowOnceInTheReaderOfItsRing) {
  for (const std::uint32_t rings : {1u, 2u, 3u, 4u}) {
    SCOPED_TRACE(rings);
    std::ranges::fill(sets4_, nids_flow4_set{});
    std::ranges::fill(sets6_, nids_flow6_set{});
    restart();
    parts_.clear();
    counted_ = 0;
    std::vector<FlowReader> workers;
    for (std::uint32_t worker = 0; worker < rings; ++worker)
      workers.emplace_back(tables(rings), false, worker);
    std::vector<FlowPart> of_workers;
    std::size_t told_by_wrong_worker = 0, workers_that_told = 0;
    std::array<std::vector<nids_flow_key>, kCpus> in_slots;
    for (std::uint32_t round = 1; round <= 40; ++round) {
      const nids_flow_key key =
          key_of(static_cast<std::uint16_t>(40'000 + round * 7), round % 3 == 0 ? 6 : 4);
      const std::uint32_t cpu = round % kCpus;
      const auto is_same_slot = [&](const nids_flow_key& other) {
        return &slot(other, cpu) == &slot(key, cpu);
      };
      // The record of the earlier flow in this slot goes to the ring of its set.
      if (const auto before = std::ranges::find_if(in_slots[cpu], is_same_slot);
          before != in_slots[cpu].end()) {
        const ExportedFlow old = taken(*before, NIDS_EXPORT_EVICTED, cpu);
        exported(old);
        workers[nids_ring_of_set(old.set, kSets, rings)].exported(
            old, [&](const FlowPart& part) { of_workers.push_back(part); });
        in_slots[cpu].erase(before);
      }
      in_slots[cpu].push_back(key);
      count(open(key, cpu), round);
      if (round % 4 != 0) continue;
      EXPECT_EQ(scan(), 0u);
      for (std::uint32_t worker = 0; worker < rings; ++worker) {
        const std::size_t before = of_workers.size();
        workers[worker].scan(
            {.now_ticks = ticks_, .tick_ns = kTick_ns, .now = now_}, [&](const FlowPart& part) {
              told_by_wrong_worker += nids_ring_of_set(set_of(part.key), kSets, rings) != worker;
              of_workers.push_back(part);
            });
        workers_that_told += of_workers.size() != before;
      }
    }
    EXPECT_EQ(told_by_wrong_worker, 0u);
    EXPECT_GT(workers_that_told, rings * 2);
    const auto sorted = [](const std::vector<FlowPart>& parts) {
      std::vector<std::array<std::uint64_t, 3>> all;
      for (const FlowPart& part : parts)
        all.push_back({part.key.hi_port, part.packets[0] + part.packets[1], part.created.ns});
      std::ranges::sort(all);
      return all;
    };
    EXPECT_EQ(sorted(of_workers), sorted(parts_));
    EXPECT_EQ(told(), counted_);
  }
}

TEST_F(FlowReaderTest, AScanOfSharedTablesCoversItsOwnSlotsOnly) {
  constexpr std::uint32_t kRings = 4;
  for (std::uint32_t worker = 0; worker < kRings; ++worker) {
    FlowReader reader(tables(kRings), false, worker);
    const std::size_t own = 2 * kCpus * kSets / kRings * NIDS_WAYS;
    EXPECT_FALSE(reader.scan_some({}, own - 1, sink()));
    EXPECT_TRUE(reader.scan_some({}, 1, sink()));
  }
}

TEST_F(FlowReaderTest, AWorkerMarksOnlyItsOwnFlows) {
  const auto key = key_of(40'000);
  count(open(key), 5);
  const std::uint32_t owner = nids_ring_of_set(set_of(key), kSets, 2);
  for (const std::uint32_t worker : {1 - owner, owner}) {
    FlowReader reader(tables(2), false, worker);
    reader.scan({}, sink());
    reader.mark_reported({key, {}});
    EXPECT_EQ(slot(key).command != 0, worker == owner);
  }
  EXPECT_EQ(told(), 5u);
}

TEST_F(FlowReaderTest, TimesAreHowLongAgoItWasAlsoWhereTicksWrap) {
  ticks_ = 0xfffffff0;
  nids_flow_state& state = open(key_of(40'000));
  ticks_ += 0x20;  // beyond the wrap
  count(state, 1);
  ticks_ += 5;
  scan();
  ASSERT_EQ(parts_.size(), 1u);
  EXPECT_EQ(parts_[0].created.ns, now_.ns - 0x25ull * kTick_ns);
  EXPECT_EQ(parts_[0].last.ns, now_.ns - 5ull * kTick_ns);
}

TEST_F(FlowReaderTest, ASlotWrittenAfterTheScanBeganIsOfNow) {
  nids_flow_state& state = open(key_of(40'000));
  ++ticks_;
  count(state, 1);
  ticks_ -= 2;
  scan();
  ASSERT_EQ(parts_.size(), 1u);
  EXPECT_EQ(parts_[0].created, now_);
  EXPECT_EQ(parts_[0].last, now_);
}

TEST_F(FlowReaderTest, ASlotThatChangedHandsWaitsForTheRecordOfTheFlowBefore) {
  const auto first = key_of(40'000);
  count(open(first), 5);
  scan();
  count(slot(first), 1);
  const ExportedFlow old = taken(first, NIDS_EXPORT_ENDED);
  count(open(first), 7);

  EXPECT_EQ(scan(), 1u);
  EXPECT_EQ(parts_.size(), 1u);
  exported(old);
  ASSERT_EQ(parts_.size(), 2u);
  EXPECT_EQ(parts_[1].packets[NIDS_FROM_LO], 1u);
  EXPECT_TRUE(parts_[1].is_ended);
  EXPECT_EQ(parts_[1].history, 0x21u);
  EXPECT_EQ(scan(), 0u);
  ASSERT_EQ(parts_.size(), 3u);
  EXPECT_EQ(parts_[2].packets[NIDS_FROM_LO], 7u);
  EXPECT_EQ(told(), counted_);
}

TEST_F(FlowReaderTest, AnEvictedFlowThatWasNeverReadIsToldByItsRecordAlone) {
  const auto first = key_of(40'000);
  count(open(first), 5);
  const ExportedFlow old = taken(first, NIDS_EXPORT_EVICTED);
  count(open(first), 7);
  for (const bool scans_first : {true, false}) {
    restart();
    parts_.clear();
    if (scans_first) scan();
    exported(old);
    EXPECT_FALSE(parts_.back().is_ended);
    scan();
    EXPECT_EQ(told(), 12u) << scans_first;
    EXPECT_EQ(told_bytes(), 1'200u) << scans_first;
  }
}

TEST_F(FlowReaderTest, ManyFlowsOfOneSlotBetweenTwoScansAddUp) {
  const auto key = key_of(40'000);
  std::vector<ExportedFlow> ring;
  for (std::uint32_t round = 1; round < 50; ++round) {
    count(open(key), round);
    if (round % 3 == 0) scan();
    count(slot(key), 1, NIDS_FROM_HI);
    ring.push_back(taken(key, round % 2 == 0 ? NIDS_EXPORT_ENDED : NIDS_EXPORT_EVICTED));
    if (round % 5 != 0) continue;
    for (const ExportedFlow& one : ring) exported(one);
    ring.clear();
  }
  count(open(key), 1);
  for (const ExportedFlow& one : ring) exported(one);
  scan();
  EXPECT_EQ(told(), counted_);
  EXPECT_EQ(told_bytes(), counted_ * 100);
}

TEST_F(FlowReaderTest, AFullCountIsToldExactlyInWhateverOrderItIsRead) {
  const auto key = key_of(40'000);
  for (const bool is_read_before : {true, false})
    for (const bool is_read_meanwhile : {true, false}) {
      SCOPED_TRACE(testing::Message() << is_read_before << is_read_meanwhile);
      restart();
      parts_.clear();
      counted_ = 0;
      slot(key) = {};
      nids_flow_state& state = open(key);
      count(state, 10);
      if (is_read_before) scan();
      count(state, kFull - 10);
      const ExportedFlow full = taken(key, NIDS_EXPORT_FULL);
      count(state, 3);
      if (is_read_meanwhile) {
        EXPECT_EQ(scan(), is_read_before ? 1u : 0u) << "fewer than were told: its record comes";
      }
      exported(full);
      EXPECT_FALSE(parts_.back().is_ended);
      scan();
      EXPECT_EQ(told(), counted_);
      EXPECT_EQ(told_bytes(), counted_ * 100);
      count(state, 4);
      scan();
      EXPECT_EQ(told(), std::uint64_t{kFull} + 7);
    }
}

TEST_F(FlowReaderTest, AFlowOfTwoToThe33PacketsIsToldWhole) {
  const auto key = key_of(40'000);
  nids_flow_state& state = open(key);
  for (std::uint64_t left = 1ull << 33; left != 0;) {
    const auto some = static_cast<std::uint32_t>(std::min<std::uint64_t>(left, 700'000'001));
    left -= some;
    if (state.packets[0] + std::uint64_t{some} > 0xffffffff) {
      const ExportedFlow full = taken(key, NIDS_EXPORT_FULL);
      count(state, some);
      exported(full);
    } else {
      count(state, some);
    }
    scan();
  }
  EXPECT_EQ(told(), 1ull << 33);
  EXPECT_EQ(told_bytes(), 100ull << 33);
}

TEST_F(FlowReaderTest, WhatWasReportedIsNotToldToTheNextAgentAndGrowthIs) {
  const auto key = key_of(40'000), other = key_of(40'001);
  count(open(key, 0), 5);
  count(open(key, 1), 6, NIDS_FROM_HI);
  if (set_of(other) != set_of(key)) count(open(other), 9);
  scan();
  reader_->mark_reported({key, {}});
  EXPECT_EQ(slot(key, 0).command, command(1, kReported | NIDS_COMMAND_NONE));
  EXPECT_EQ(slot(key, 1).command, command(1, kReported | NIDS_COMMAND_NONE));

  restart();
  parts_.clear();
  scan();
  for (const FlowPart& part : parts_) EXPECT_EQ(part.key.hi_port, 40'001) << "not reported";
  parts_.clear();
  count(slot(key), 2);
  scan();
  ASSERT_EQ(parts_.size(), 1u);
  EXPECT_EQ(parts_[0].packets[NIDS_FROM_LO], 2u);
  EXPECT_TRUE(parts_[0].is_continued);
}

TEST_F(FlowReaderTest, WhatWasReportedAndPushedOutUnreadIsNotToldAgain) {
  const auto key = key_of(40'000);
  count(open(key), 5);
  scan();
  reader_->mark_reported({key, {}});
  restart();
  parts_.clear();
  exported(taken(key, NIDS_EXPORT_EVICTED));
  EXPECT_TRUE(parts_.empty());
}

TEST_F(FlowReaderTest, GrowthAfterAReportIsContinuedAlsoWhereItIsPushedOut) {
  const auto key = key_of(40'000);
  count(open(key), 5);
  scan();
  reader_->mark_reported({key, {}});
  count(slot(key), 1);
  exported(taken(key, NIDS_EXPORT_EVICTED));
  ASSERT_EQ(parts_.size(), 2u);
  EXPECT_EQ(parts_[1].packets[NIDS_FROM_LO], 1u);
  EXPECT_TRUE(parts_[1].is_continued);
}

TEST_F(FlowReaderTest, AReportHoldsForItsOwnGenerationOnly) {
  const auto key = key_of(40'000);
  count(open(key), 5);
  scan();
  reader_->mark_reported({key, {}});
  count(open(key), 7);
  restart();
  parts_.clear();
  scan();
  ASSERT_EQ(told(), 7u);
  EXPECT_FALSE(parts_[0].is_continued);
}

TEST_F(FlowReaderTest, AReportKeepsTheInterestOfACommand) {
  const auto key = key_of(40'000);
  nids_flow_state& state = open(key);
  count(state, 5);
  scan();
  state.command = command(1, NIDS_INTEREST_BYPASS);
  reader_->mark_reported({key, {}});
  EXPECT_EQ(state.command, command(1, kReported | NIDS_INTEREST_BYPASS));
  count(state, 1);
  scan();
  EXPECT_TRUE(parts_.back().is_bypassed);

  // A command for the flow before holds nothing for this one.
  exported(taken(key, NIDS_EXPORT_ENDED));
  count(open(key), 1);
  scan();
  EXPECT_FALSE(parts_.back().is_bypassed);
  reader_->mark_reported({key, {}});
  EXPECT_EQ(state.command, command(2, kReported | NIDS_COMMAND_NONE));
}

TEST_F(FlowReaderTest, OnlyWhatWasToldIsMarked) {
  const auto key = key_of(40'000);
  count(open(key), 5);
  reader_->mark_reported({key, {}});
  EXPECT_EQ(slot(key).command, 0u) << "not read yet";
  scan();
  reader_->mark_reported({key_of(40'001), {}});
  reader_->mark_reported({key_of(40'000, 6), {}});
  EXPECT_EQ(slot(key).command, 0u) << "another flow";
}

TEST_F(FlowReaderTest, ASlotThatIsBeingWrittenWaits) {
  const auto key = key_of(40'000);
  count(open(key, 1), 5);
  counters_[1].started = 8;
  counters_[1].finished = 7;
  EXPECT_EQ(scan(), 1u);
  EXPECT_TRUE(parts_.empty());
  counters_[1].finished = 8;
  EXPECT_EQ(scan(), 0u);
  EXPECT_EQ(told(), 5u);
  // What has not grown need not be copied.
  counters_[1].started = 9;
  EXPECT_EQ(scan(), 0u);
}

TEST_F(FlowReaderTest, AnExportFromNowhereIsToldWhole) {
  const auto key = key_of(40'000);
  count(open(key), 5);
  ExportedFlow flow = taken(key, NIDS_EXPORT_EVICTED);
  flow.cpu = 999;
  flow.set = 0xffffffff;
  exported(flow);
  EXPECT_EQ(told(), 5u);
}

}  // namespace
}  // namespace nids
