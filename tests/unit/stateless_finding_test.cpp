// SPDX-License-Identifier: Apache-2.0
#include "analyse/flow/stateless_finding.hpp"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "support/collected.hpp"

namespace nids {
namespace {

Packet packet_with(std::uint32_t findings) {
  Packet packet;
  packet.time = {7};
  packet.findings = findings;
  packet.reason = NIDS_REASON_FINDING;
  packet.from_opener = false;
  return packet;
}

std::vector<Alert> raised(std::uint32_t findings) {
  Flow flow;
  flow.id = 42;
  flow.key.lo_port = 40'000;  // the client's: of equal addresses the smaller port is `lo`
  flow.key.hi_port = 80;
  Collected context;
  StatelessFinding{}.on_packet({packet_with(findings), flow, {}}, context);
  return context.alerts;
}

TEST(StatelessFinding, EachFindingHasASignatureOfItsOwnFrom2001On) {
  std::set<std::string> titles;
  for (std::uint32_t i = 0; i < NIDS_FINDING_COUNT; ++i) {
    const auto alerts = raised(1u << i);
    ASSERT_EQ(alerts.size(), 1u) << i;
    EXPECT_EQ(alerts[0].signature_id.sid, 2001 + i);
    EXPECT_TRUE(alerts[0].severity >= 1 && alerts[0].severity <= 3) << i;
    EXPECT_FALSE(alerts[0].observed.empty() || alerts[0].expected.empty()) << i;
    titles.insert(alerts[0].signature);
  }
  EXPECT_EQ(titles.size(), std::size_t{NIDS_FINDING_COUNT});
  EXPECT_EQ(titles.count(""), 0u);
}

TEST(StatelessFinding, SignaturesAreFixed) {
  EXPECT_EQ(raised(1u << NIDS_FINDING_LAND)[0].signature_id.sid, 2001u);
  EXPECT_EQ(raised(1u << NIDS_FINDING_PING_OF_DEATH)[0].signature_id.sid, 2008u);
  EXPECT_EQ(raised(1u << NIDS_FINDING_TOO_MANY_HEADERS)[0].signature_id.sid, 2018u);
}

TEST(StatelessFinding, PacketOfManyFindingsRaisesEach) {
  EXPECT_EQ(raised((1u << NIDS_FINDING_COUNT) - 1).size(), std::size_t{NIDS_FINDING_COUNT});
}

TEST(StatelessFinding, PacketOfNoneRaisesNothing) { EXPECT_TRUE(raised(0).empty()); }

TEST(StatelessFinding, AlertTellsThePacketsFlowAndDirection) {
  const Alert alert = raised(1u << NIDS_FINDING_XMAS).at(0);
  EXPECT_EQ(alert.time.ns, 7u);
  EXPECT_EQ(alert.flow_id, 42u);
  EXPECT_EQ(alert.ends.server_port, 80);
  EXPECT_FALSE(alert.to_server);
  EXPECT_EQ(alert.technique, "T1046");
  EXPECT_EQ(alert.class_name, "");
}

}  // namespace
}  // namespace nids
