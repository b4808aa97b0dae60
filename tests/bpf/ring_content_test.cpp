// SPDX-License-Identifier: Apache-2.0
// What the rings hold is counted there, and not worked out from the other counts.
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <thread>

#include "kernel/ring_content.hpp"
#include "support/first_pass_program.hpp"

namespace nids {
namespace {

class RingContents : public FirstPassProgram {
 protected:
  static constexpr std::uint64_t kRingBytes = 1 << 20;

  // Sends records of a class that is captured whole.
  void offer(int count) {
    for (int i = 0; i < count; ++i) flow_from(i + 1, 22);
  }
  KernelReading reading() {
    auto read = maps().read_with_rings();
    EXPECT_TRUE(read);
    return std::move(*read);
  }
  std::optional<bool> accounted() {
    const KernelReading now = reading();
    return are_records_accounted(now.counters, now.agent, now.pending);
  }
  const Maps& maps() {
    if (!maps_) maps_ = program().maps();
    return *maps_;
  }
  // The consumer's position, as an agent that was taken over could write it.
  std::uint64_t& consumer() {
    if (page_ == nullptr)
      page_ = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
                   program().object().rings()[0].get(), 0);
    return *static_cast<std::uint64_t*>(page_);
  }
  void TearDown() override {
    if (page_ != nullptr) munmap(page_, 4096);
  }
  Mapped<nids_agent_counters> agent() {
    return Mapped<nids_agent_counters>{maps().fd("nids_agent")};
  }

 private:
  std::optional<Maps> maps_;
  void* page_ = nullptr;
};

TEST_F(RingContents, RecordsInTheRingAreCountedInRecordsAndBytes) {
  EXPECT_EQ(reading().pending->packets, 0u);
  offer(5);
  const KernelReading now = reading();
  ASSERT_TRUE(now.pending);
  EXPECT_EQ(now.pending->packets, 5u);
  EXPECT_EQ(now.pending->bytes, now.counters.ring_offered.bytes);
  EXPECT_EQ(accounted(), true);
}

TEST_F(RingContents, ARecordThatNobodyTookAndThatIsNotThereIsMissed) {
  offer(5);
  agent()->consumed = {1, 200};
  EXPECT_EQ(accounted(), false);
  agent()->consumed = {};
  agent()->consumed.bytes = 8;
  EXPECT_EQ(accounted(), false) << "in bytes too";
  agent()->consumed = {};
  EXPECT_EQ(accounted(), true);
  const auto rings = maps().rings();
  const auto content = RingContent::of((*rings)[0].get());
  consumer() = content->positions().producer;  // taken, and not counted
  EXPECT_EQ(accounted(), false);
}

TEST_F(RingContents, AllRingsCount) {
  reload({.rings = 4});
  offer(64);
  EXPECT_EQ(reading().pending->packets, 64u);
  EXPECT_EQ(accounted(), true);
}

TEST_F(RingContents, LossesAndAFullRingAddUp) {
  fill_ring();
  const KernelReading now = reading();
  EXPECT_LT(now.pending->packets, now.counters.ring_offered.packets);
  EXPECT_EQ(accounted(), true);
}

TEST_F(RingContents, PastTheEndOfTheDataTheyGoOnAtItsBegin) {
  for (int round = 0; round < 3; ++round) {
    fill_ring();
    drained();
    agent()->consumed = {};
    const KernelReading now = reading();
    EXPECT_EQ(now.pending->packets, 0u);
    nids_sum taken = now.counters.ring_offered;
    for (const nids_sum& lost : now.counters.ring_lost) {
      taken.packets -= lost.packets;
      taken.bytes -= lost.bytes;
    }
    agent()->consumed = taken;
    offer(7);
    EXPECT_EQ(reading().pending->packets, 7u);
    EXPECT_EQ(accounted(), true);
    drained();
    program().clear_tables();
  }
}

TEST_F(RingContents, AConsumersPositionThatCannotBeIsNotKnown) {
  offer(5);
  const auto rings = maps().rings();
  const auto content = RingContent::of((*rings)[0].get());
  ASSERT_TRUE(content);
  const std::uint64_t producer = content->positions().producer;
  for (const std::uint64_t hostile :
       {producer + 8, producer + 1, producer - 4, producer - 8 - kRingBytes, std::uint64_t{4},
        ~std::uint64_t{0}, producer - 2 * kRingBytes}) {
    consumer() = hostile;
    EXPECT_FALSE(content->between(content->positions())) << hostile;
    EXPECT_EQ(accounted(), std::nullopt) << hostile;
  }
  consumer() = 0;
  EXPECT_EQ(accounted(), true);
}

// In the middle of a record each of its words is read as a length.
TEST_F(RingContents, AConsumersPositionInTheMiddleOfARecordIsReadWithinTheRing) {
  offer(5);
  const auto rings = maps().rings();
  const auto content = RingContent::of((*rings)[0].get());
  for (std::uint64_t at = 8; at < content->positions().producer; at += 8) {
    consumer() = at;
    const auto found = content->between(content->positions());
    EXPECT_LE(found.value_or(nids_sum{}).bytes, kRingBytes);
  }
}

TEST_F(RingContents, WhileAPacketIsUnderWayTheyAreNotKnown) {
  offer(5);
  nids_counters& block = program().counters_of(cpu());
  block.started += 1;  // as between the two ends of a packet
  EXPECT_EQ(accounted(), std::nullopt);
  block.started -= 1;
  EXPECT_EQ(accounted(), true);
}

// Whatever moves meanwhile, what is told is right.
TEST_F(RingContents, UnderTrafficTheyAddUpOrAreNotKnown) {
  std::atomic<bool> is_over = false;
  std::thread traffic([&] {
    const OnOneCpu pinned(cpu());
    for (int i = 0; !is_over; ++i) flow_from(i % 200, 22);
  });
  int known = 0;
  for (int i = 0; i < 10; ++i) {
    const auto is_so = accounted();
    EXPECT_NE(is_so, false);
    known += is_so.has_value();
  }
  is_over = true;
  traffic.join();
  EXPECT_EQ(accounted(), true) << known << " of 10 were known before";
}

TEST_F(RingContents, ARecordThatADeadAgentCountedAndDidNotTakeIsUncounted) {
  offer(2);
  const KernelReading before = reading();
  agent()->consumed = {1, before.counters.ring_offered.bytes / 2};
  EXPECT_EQ(accounted(), false);
  maps().uncount_records_to_be_taken_again();
  EXPECT_EQ(agent()->consumed.packets, 0u);
  EXPECT_EQ(agent()->consumed.bytes, 0u);
  EXPECT_EQ(accounted(), true);
  maps().uncount_records_to_be_taken_again();
  EXPECT_EQ(accounted(), true) << "once";
}

TEST_F(RingContents, ReadersAddUpTheBlocksOfAllWorkers) {
  constexpr std::uint32_t kRings = 2;
  reload({.rings = kRings});
  const Maps own = program().maps();
  const MappedArray<nids_agent_counters> blocks(own.fd("nids_agent"), kRings + 1);
  ASSERT_TRUE(blocks);
  blocks[0].pid = 77;
  blocks[0].consumed = {1, 10};
  blocks[1].consumed = {2, 20};
  blocks[2].consumed = {4, 40};
  blocks[1].sweep_ns = 9;
  blocks[2].sweep_ns = 8;
  Maps few = program().maps();
  few.keep_only(Maps::public_names());
  for (const Maps* maps : std::array<const Maps*, 2>{&own, &few}) {
    const auto read = maps->read();
    ASSERT_TRUE(read);
    for (const nids_agent_counters& agent : std::array{read->agent, *maps->agent()}) {
      EXPECT_EQ(agent.consumed.packets, 7u);
      EXPECT_EQ(agent.consumed.bytes, 70u);
      EXPECT_EQ(agent.sweep_ns, 9u);
      EXPECT_EQ(agent.pid, 77u);
    }
  }
  EXPECT_TRUE(own.request_detach());
  EXPECT_EQ(own.agent()->detach_requested, 1u);
}

TEST_F(RingContents, AtMostOneRecordForEachRingOfADeadAgentIsUncounted) {
  for (const std::uint64_t twice : {1u, 2u, 3u}) {
    reload({.rings = 2});
    offer(4);
    const Maps own = program().maps();
    const MappedArray<nids_agent_counters> blocks(own.fd("nids_agent"), 3);
    const auto bytes = own.read()->counters.ring_offered.bytes / 4;
    blocks[1].consumed = {1, bytes};
    blocks[2].consumed = {twice - 1, bytes * (twice - 1)};
    own.uncount_records_to_be_taken_again();
    EXPECT_EQ(own.agent()->consumed.packets, twice <= 2 ? 0u : 3u) << twice;
    EXPECT_EQ(own.agent()->consumed.bytes, twice <= 2 ? 0u : 3 * bytes) << twice;
  }
}

TEST_F(RingContents, WhoMayNotOpenTheRingsIsToldNothing) {
  offer(1);
  Maps few = program().maps();
  few.keep_only(Maps::public_names());
  const auto read = few.read_with_rings();
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->pending);
}

}  // namespace
}  // namespace nids
