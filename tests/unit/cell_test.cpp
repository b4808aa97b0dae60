// SPDX-License-Identifier: Apache-2.0
// The cell of a flow, which kernel and agent both write.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <span>
#include <thread>

#include "net/flow_slot.h"
#include "nids/abi/flow.h"
#include "support/flow_pure.h"

namespace nids {
namespace {

constexpr std::uint64_t kHash = 0x123456789abcdef0;

std::uint8_t flags_of(const nids_flow_cell& cell) {
  std::uint8_t class_id = 0, flags = 0;
  test_recall_opener(&cell, kHash, &class_id, &flags);
  return flags;
}

bool is_raised(std::span<const nids_flow_cell> cells) {
  return std::ranges::any_of(
      cells, [](const nids_flow_cell& one) { return (flags_of(one) & NIDS_FLOW_CAPTURE) != 0; });
}

TEST(Cell, ACorrectionOfTheOpenerKeepsWhatTheAgentSetMeanwhile) {
  constexpr std::uint32_t kBits = 3;
  nids_flow_cell cells[1 << kBits]{};
  // Only one of them is the flow's.
  for (nids_flow_cell& one : cells) test_remember_opener(&one, kHash, 3, 0);
  std::atomic<bool> is_over = false;
  std::thread kernel([&] {
    for (unsigned i = 0; !is_over; ++i)
      for (nids_flow_cell& one : cells)
        test_correct_cell(&one, kHash, static_cast<std::uint8_t>(3 + (i & 1)),
                          i & 1 ? NIDS_FLOW_OPENER_HI : 0);
  });
  int lost = 0;
  for (int i = 0; i < 200'000; ++i) {
    const std::uint8_t word = NIDS_INTEREST_CAPTURE;
    nids_cell_raise(cells, kBits, kHash, word);
    for (int looks = 0; looks < 5; ++looks) lost += !is_raised(cells);
    nids_cell_raise(cells, kBits, kHash, NIDS_INTEREST_INSPECT);
  }
  is_over = true;
  kernel.join();
  EXPECT_EQ(lost, 0);
  EXPECT_FALSE(is_raised(cells));
}

}  // namespace
}  // namespace nids
