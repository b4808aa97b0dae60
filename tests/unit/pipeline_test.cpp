// SPDX-License-Identifier: Apache-2.0
// The whole way of a packet, from the frame through the native first pass to the sinks.
#include "agent/pipeline.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>

#include "agent/class_table.hpp"
#include "firstpass/first_pass.hpp"
#include "support/packet_builder.hpp"

namespace nids {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

class PipelineTest : public ::testing::Test {
 protected:
  void send(const PacketBuilder& packet, std::uint64_t time_ns) {
    const auto bytes = packet.bytes();
    const auto length = static_cast<std::uint32_t>(bytes.size());
    first_pass.packet({.bytes = bytes.data(),
                       .captured_len = length,
                       .wire_len = length,
                       .time_ns = time_ns,
                       .l3_offset = 0,
                       .ether_type = 0,
                       .is_ethernet = 1});
    pipeline->flush(counters);
  }

  static PacketBuilder tcp(std::uint16_t src_port, std::uint16_t dst_port, std::uint8_t flags) {
    return PacketBuilder{}
        .eth()
        .ipv4({.src = "10.0.0.2", .dst = "10.0.0.1"})
        .tcp({.src_port = src_port, .dst_port = dst_port, .flags = flags});
  }

  void start(Sinks sinks) {
    sinks.on_alert = [this](const Alert& alert) { alerts.push_back(alert); };
    pipeline = std::make_unique<Pipeline>(config, std::map<std::uint32_t, std::string>{{0, "v0"}},
                                          std::move(sinks));
  }
  void SetUp() override { start({}); }

  std::vector<Alert> alerts;
  Config config = default_config();
  nids_agent_counters counters{};
  std::unique_ptr<Pipeline> pipeline;
  FirstPass first_pass{{.slots = 64}, abi_classes(config), *abi_ports(config), [this](auto record) {
                         pipeline->record(record, ClockOffset{}, counters);
                       }};
};

TEST_F(PipelineTest, OneAlertAFlowHoweverManyPackets) {
  send(tcp(40000, 22, kTcpSyn), 1 * kSecond);
  send(tcp(40000, 22, kTcpAck), 2 * kSecond);
  send(tcp(40000, 22, kTcpAck), 3 * kSecond);

  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].signature_id, 1001u);
  EXPECT_EQ(alerts[0].class_name, "ssh");
  EXPECT_EQ(alerts[0].interface, "v0");
  EXPECT_EQ(alerts[0].ends.client_port, 40000);
  EXPECT_EQ(counters.consumed.packets, 3u);
  EXPECT_EQ(counters.alerts_by_severity[2], 1u);
}

TEST_F(PipelineTest, AFurtherFlowOfTheSameEndsAndClassIsSuppressedForAMinute) {
  send(tcp(40000, 22, kTcpSyn), 1 * kSecond);
  send(tcp(40001, 22, kTcpSyn), 2 * kSecond);
  send(tcp(40002, 23, kTcpSyn), 3 * kSecond);
  send(tcp(40003, 22, kTcpSyn), 62 * kSecond);

  EXPECT_EQ(alerts.size(), 3u);
  EXPECT_EQ(counters.alerts_suppressed, 1u);
}

TEST_F(PipelineTest, AConnectionFromTheSamePortsAfterTheFirstWasClosedIsFlaggedAgain) {
  send(tcp(40000, 22, kTcpSyn), 1 * kSecond);
  send(tcp(40000, 22, kTcpFin | kTcpAck), 2 * kSecond);
  send(tcp(40000, 22, kTcpSyn), 100 * kSecond);

  ASSERT_EQ(alerts.size(), 2u);
  EXPECT_NE(alerts[0].flow_id, alerts[1].flow_id);
  EXPECT_EQ(alerts[0].community_id, alerts[1].community_id);
}

TEST_F(PipelineTest, PacketsOfNoClassRaiseNothing) {
  send(tcp(40000, 8080, kTcpSyn), 1 * kSecond);

  EXPECT_TRUE(alerts.empty());
  EXPECT_EQ(counters.consumed.packets, 0u);
}

TEST_F(PipelineTest, WithoutAStoreEachPacketIsCountedAsLeftOutByPolicy) {
  send(tcp(40000, 22, kTcpSyn), 1 * kSecond);

  EXPECT_EQ(counters.retained.packets, 0u);
  EXPECT_EQ(counters.not_kept_by_policy.packets, 1u);
  EXPECT_EQ(counters.degraded, 0u);
}

TEST_F(PipelineTest, WhereTheSinksCouldNotBeOpenedEachPacketAndEachAlertIsCountedAsLost) {
  Sinks missing;
  missing.store_is_missing = true;
  missing.eve_is_missing = true;
  start(std::move(missing));
  send(tcp(40000, 22, kTcpSyn), 1 * kSecond);

  EXPECT_EQ(counters.not_kept_by_error.packets, 1u);
  EXPECT_EQ(counters.eve_lost, 1u);
  EXPECT_EQ(counters.degraded, std::uint64_t{NIDS_DEGRADED_EVE | NIDS_DEGRADED_RETAIN});
}

TEST_F(PipelineTest, ARecordThatIsNoneIsCountedAndLeftAlone) {
  const std::vector<std::byte> rubbish(200, std::byte{0xff});
  pipeline->record(rubbish, ClockOffset{}, counters);

  EXPECT_EQ(counters.invalid_records, 1u);
  EXPECT_TRUE(alerts.empty());
}

}  // namespace
}  // namespace nids
