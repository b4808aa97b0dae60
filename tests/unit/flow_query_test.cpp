// SPDX-License-Identifier: Apache-2.0
#include "agent/flow_query.hpp"

#include <gtest/gtest.h>

#include <random>

namespace nids {
namespace {

class FlowQueryTest : public testing::Test {
 protected:
  void add(std::uint16_t port, std::uint64_t packets) {
    FlowPart part;
    part.key.lo_port = 22;
    part.key.hi_port = port;
    part.key.l4_proto = 6;
    part.key.ip_version = 4;
    part.packets[0] = packets;
    part.bytes[0] = packets * 100;
    table_.add(part);
  }
  std::vector<std::uint64_t> ids(std::uint64_t top) const {
    const FlowSelection selection = select_flows(table_, {.top = top, .classes = {}}, {""});
    EXPECT_EQ(selection.total, table_.size());
    std::vector<std::uint64_t> out;
    for (const FlowPlace& one : selection.flows) out.push_back(one.id);
    return out;
  }

  FlowTable table_{{}, [](const Flow&, FlowReason) {}};
};

TEST_F(FlowQueryTest, TheFirstOfThoseAskedForAreTheFirstOfAll) {
  EXPECT_TRUE(ids(0).empty());
  EXPECT_TRUE(ids(5).empty());
  std::mt19937 random(1);
  for (std::uint16_t port = 1; port <= 500; ++port) add(port, random() % 50);  // with equal ones
  const auto all = ids(0);
  ASSERT_EQ(all.size(), table_.size());
  for (const std::size_t top : {1u, 2u, 20u, 499u, 500u, 501u}) {
    const auto some = ids(top);
    ASSERT_EQ(some.size(), std::min(top, all.size()));
    EXPECT_TRUE(std::equal(some.begin(), some.end(), all.begin())) << top;
  }
}

TEST_F(FlowQueryTest, TheBusiestComeFirstAndWhatWasToldCounts) {
  add(1, 10);
  add(2, 30);
  table_.tell_long_ones({1'000'000'000}, std::chrono::seconds(1));
  add(1, 25);
  std::vector<std::uint64_t> packets;
  for (const FlowPlace& one : select_flows(table_, {.classes = {}}, {""}).flows) {
    const Flow* flow = table_.at(one.place, one.id);
    ASSERT_NE(flow, nullptr);
    packets.push_back(flow->all_counts().packets[0]);
  }
  EXPECT_EQ(packets, (std::vector<std::uint64_t>{35, 30}));
}

TEST_F(FlowQueryTest, ASearchGoesOnWhileFlowsComeAndGo) {
  for (std::uint16_t port = 1; port <= 500; ++port) add(port, port);
  const FlowQuery query{.top = 10, .classes = {}};
  const std::vector<std::string> names{""};
  FlowSearch search({&table_}, query, names);
  EXPECT_TRUE(search.step());
  for (std::uint16_t port = 501; port <= 600; ++port) add(port, port);
  table_.end_all(FlowReason::kShutdown);
  int steps = 1;
  while (search.step()) ++steps;
  EXPECT_GE(steps, 8) << "no step looks at all";
  EXPECT_EQ(search.take().total, 63u) << "of the first step's 64 places; the first is never used";
}

}  // namespace
}  // namespace nids
