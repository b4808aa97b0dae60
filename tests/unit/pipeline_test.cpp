// SPDX-License-Identifier: Apache-2.0
// The whole way of a packet, from the frame through the native first pass to the sinks.
#include "agent/inline_workers.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "agent/class_table.hpp"
#include "cli/filter_expression.hpp"
#include "firstpass/first_pass.hpp"
#include "nids/sum.hpp"
#include "support/packet_builder.hpp"
#include "support/refusal.hpp"
#include "support/twin_run.hpp"

namespace nids {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

class PipelineTest : public ::testing::Test {
 protected:
  void send(const PacketBuilder& packet, std::uint64_t time_ns) {
    const auto bytes = packet.bytes();
    const auto length = static_cast<std::uint32_t>(bytes.size());
    first_pass->packet({.bytes = bytes.data(),
                        .captured_len = length,
                        .wire_len = length,
                        .time_ns = time_ns,
                        .l3_offset = 0,
                        .ether_type = 0,
                        .is_ethernet = 1});
    worker->flush({});
  }

  static PacketBuilder tcp(std::uint16_t src_port, std::uint16_t dst_port, std::uint8_t flags) {
    return PacketBuilder{}
        .eth()
        .ipv4({.src = "10.0.0.2", .dst = "10.0.0.1"})
        .tcp({.src_port = src_port, .dst_port = dst_port, .flags = flags});
  }

  void start(Sinks sinks, Selection selection = {}, Pipeline::Steer steer = {}) {
    sinks.on_alert = [this](const Alert& alert) { alerts.push_back(alert); };
    worker =
        std::make_unique<InlineWorkers>(config, std::map<std::uint32_t, std::string>{{0, "v0"}},
                                        std::move(sinks), std::move(selection), std::move(steer));
    worker->outputs().watch(0, counters);
  }
  static Selection only(std::string_view expression) {
    auto filter = compile_packet_filter(expression, Services::parse(""));
    EXPECT_TRUE(filter) << expression;
    return {.filter = std::move(*filter)};
  }
  void SetUp() override {
    restart_first_pass();
    start({});
  }
  // With the configuration as it is now.
  void restart_first_pass() {
    first_pass = std::make_unique<FirstPass>(
        FirstPass::Setup{.slots = 64, .slots_ipv6 = 64, .features = abi_features(config)},
        abi_classes(config), *abi_ports(config),
        [this](auto record) { worker->record(record, counters); });
  }

  std::vector<Alert> alerts;
  Config config = default_config();
  nids_agent_counters counters{};
  std::unique_ptr<InlineWorkers> worker;
  std::unique_ptr<FirstPass> first_pass;
};

TEST_F(PipelineTest, OneAlertAFlowHoweverManyPackets) {
  send(tcp(40000, 22, kTcpSyn), 1 * kSecond);
  send(tcp(40000, 22, kTcpAck), 2 * kSecond);
  send(tcp(40000, 22, kTcpAck), 3 * kSecond);

  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].signature_id.sid, 1001u);
  EXPECT_EQ(alerts[0].class_name, "ssh");
  EXPECT_EQ(alerts[0].interface, "v0");
  EXPECT_EQ(alerts[0].ends.client_port, 40000);
  EXPECT_EQ(counters.consumed.packets, 3u);
  EXPECT_EQ(counters.alerts_by_severity[2], 1u);
}

// Between two steps the agent reads its rings.
TEST_F(PipelineTest, OneStepOfAScanReportsAFewFlows) {
  FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  Sinks sinks;
  sinks.eve.emplace(dup(fileno(file)));
  start(std::move(sinks));
  worker->worker().watch(tables_of(*first_pass), counters);
  for (std::uint16_t port = 1; port <= 40; ++port) send(tcp(port, 80, kTcpSyn), 100 * kSecond);
  const auto clock_at = [](std::uint64_t seconds) {
    return TickClock{.now_ticks = static_cast<std::uint32_t>(seconds * 1'000),
                     .tick_ns = 1'000'000,
                     .now = {seconds * kSecond}};
  };
  for (std::uint64_t at = 101; at <= 102; ++at) worker->worker().scan(clock_at(at));
  while (!worker->worker().scan_some(clock_at(300), 64)) {
  }
  EXPECT_EQ(counters.flow_records, 0u);
  for (std::uint64_t reported = 8; reported < 40; reported += 8) {
    EXPECT_FALSE(worker->worker().report_some(8));
    EXPECT_EQ(counters.flow_records, reported);
  }
  EXPECT_TRUE(worker->worker().report_some(8));
  EXPECT_EQ(counters.flow_records, 40u);
  std::fclose(file);
}

TEST_F(PipelineTest, AnAlertAndTheRecordOfItsFlowHaveOneIdAndOneCommunityId) {
  FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  for (const bool is_read_first : {false, true}) {  // whether the slot comes before the packet
    config.community_id_seed = 3;
    config.classes[0].interest = NIDS_INTEREST_IDENTIFY;  // ssh: no packet before its payload
    restart_first_pass();
    Sinks sinks;
    sinks.eve.emplace(dup(fileno(file)));
    start(std::move(sinks));
    worker->worker().watch(tables_of(*first_pass), counters);
    const auto scan = [&](std::uint64_t now_ns) {
      worker->worker().scan({.now_ticks = static_cast<std::uint32_t>(now_ns / 1'000'000),
                             .tick_ns = 1'000'000,
                             .now = {now_ns}});
    };
    const auto port = static_cast<std::uint16_t>(is_read_first ? 40'001 : 40'000);
    send(tcp(port, 22, kTcpSyn), 100 * kSecond);
    if (is_read_first) scan(101 * kSecond);
    send(tcp(port, 22, kTcpAck).payload("SSH-2.0-x"), 102 * kSecond);
    scan(103 * kSecond);
    worker->end({.now_ticks = 104'000, .tick_ns = 1'000'000, .now = {104 * kSecond}});
  }
  std::rewind(file);
  std::vector<nlohmann::json> told;
  for (char line[8'192]; std::fgets(line, sizeof(line), file) != nullptr;)
    told.push_back(nlohmann::json::parse(line));
  std::fclose(file);
  ASSERT_EQ(told.size(), 4u);
  for (const std::size_t i : {0, 2}) {
    EXPECT_EQ(told[i]["event_type"], "alert");
    EXPECT_EQ(told[i + 1]["event_type"], "flow");
    EXPECT_EQ(told[i]["flow_id"], told[i + 1]["flow_id"]);
    EXPECT_EQ(told[i]["community_id"], told[i + 1]["community_id"]);
    EXPECT_EQ(told[i + 1]["flow"]["alerted"], true);
    EXPECT_EQ(told[i + 1]["flow"]["pkts_toserver"], 2);
    EXPECT_EQ(told[i + 1]["in_iface"], "v0");
  }
  EXPECT_NE(told[0]["flow_id"], told[2]["flow_id"]);
  EXPECT_EQ(counters.flow_records, 2u);
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
  missing.eve.emplace(-1);
  start(std::move(missing));
  send(tcp(40000, 22, kTcpSyn), 1 * kSecond);

  EXPECT_EQ(counters.not_kept_by_error.packets, 1u);
  EXPECT_EQ(counters.eve_lost, 1u);
  EXPECT_EQ(counters.degraded, std::uint64_t{NIDS_DEGRADED_EVE | NIDS_DEGRADED_RETAIN});
}

TEST_F(PipelineTest, ASampleOfAFindingIsAnAlertOfItsOwnAndItsClassIsNotFlagged) {
  config.classes[0].interest = NIDS_INTEREST_COUNT;  // ssh
  restart_first_pass();
  send(tcp(40000, 22, 0), 1 * kSecond);
  send(tcp(40000, 22, 0), 2 * kSecond);

  ASSERT_EQ(alerts.size(), 1u) << "the second is no sample";
  EXPECT_EQ(alerts[0].signature_id.sid, 2003u);
  EXPECT_EQ(alerts[0].ends.server_port, 22);
  EXPECT_EQ(alerts[0].interface, "v0");
  EXPECT_TRUE(alerts[0].to_server);
  EXPECT_EQ(counters.consumed.packets, 1u);
}

TEST_F(PipelineTest, AFindingInAFlaggedConnectionIsASecondAlert) {
  send(tcp(40000, 22, 0), 1 * kSecond);

  ASSERT_EQ(alerts.size(), 2u);
  EXPECT_EQ(alerts[0].signature_id.sid, 1001u);
  EXPECT_EQ(alerts[1].signature_id.sid, 2003u);
  EXPECT_EQ(alerts[0].flow_id, alerts[1].flow_id);
}

TEST_F(PipelineTest, AFindingInAPacketOfNoFlowIsAnAlertToo) {
  send(PacketBuilder{}.eth().ipv4({.version = 5}).tcp(), 1 * kSecond);

  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].signature_id.sid, 2016u);
  EXPECT_EQ(alerts[0].flow_id, 0u);
  EXPECT_EQ(alerts[0].community_id, "");
  EXPECT_EQ(counters.flows_tracked, 0u);
}

TEST_F(PipelineTest, EachSenderOfWrongLengthsHasAnAlertWithItsAddress) {
  for (int i = 0; i < 2; ++i) {
    send(PacketBuilder{}.eth().ipv4({.src = "10.0.0.7", .total_len = 9000}).tcp(), 1 * kSecond);
    send(PacketBuilder{}.eth().ipv4({.src = "10.0.0.8", .total_len = 9000}).tcp(), 1 * kSecond);
    send(PacketBuilder{}.eth().ipv6({.src = "2001:db8::9", .payload_len = 9000}).udp(),
         1 * kSecond);
  }
  ASSERT_EQ(alerts.size(), 3u) << "the second packet of each sender is no sample";
  EXPECT_EQ(counters.invalid_records, 0u);
  EXPECT_EQ(counters.flows_tracked, 0u);
  const char* senders[] = {"10.0.0.7", "10.0.0.8", "2001:db8::9"};
  for (std::size_t i = 0; i < alerts.size(); ++i) {
    const Ends& ends = alerts[i].ends;
    EXPECT_EQ(alerts[i].signature_id.sid, 2015u);
    EXPECT_EQ(address_text(ends.client, ends.ip_version), senders[i]);
    EXPECT_EQ(ends.client_port, 0) << "the header with the port was not read";
    EXPECT_EQ(ends.server_port, 0);
    EXPECT_EQ(alerts[i].flow_id, 0u);
    EXPECT_EQ(alerts[i].community_id, "");
    EXPECT_TRUE(alerts[i].to_server);
  }
}

TEST_F(PipelineTest, WhatWasToBeIdentifiedIsCapturedOnceItIsFlagged) {
  config.classes[0].interest = NIDS_INTEREST_IDENTIFY;
  config.classes[0].identify_packets = 1;
  restart_first_pass();
  std::vector<std::uint8_t> told;
  const Pipeline::Steer steer = [&](std::uint32_t ifindex, const FlowIdentity& flow,
                                    nids_slot_address slot, std::uint8_t word) {
    EXPECT_EQ(ifindex, 0u);
    EXPECT_EQ(slot.generation, 1u);
    told.push_back(word);
    return first_pass->command(flow.key, flow.tunnel, slot.set, word);
  };
  start({}, {}, steer);
  send(tcp(40000, 22, kTcpSyn), 1 * kSecond);
  EXPECT_TRUE(alerts.empty()) << "nothing to identify it by yet";
  send(tcp(40000, 22, kTcpAck).payload("SSH-2.0-x"), 2 * kSecond);
  send(tcp(40000, 22, kTcpAck), 3 * kSecond);
  send(tcp(40000, 22, kTcpAck).payload("kex"), 4 * kSecond);

  EXPECT_EQ(alerts.size(), 1u);
  EXPECT_EQ(told, std::vector<std::uint8_t>{NIDS_INTEREST_CAPTURE});
  EXPECT_EQ(counters.commands, 1u);
  EXPECT_EQ(counters.consumed.packets, 3u);
}

TEST_F(PipelineTest, WhatGoesUpAnywayIsNotSteered) {
  const Pipeline::Steer steer = [](auto&&...) -> std::uint32_t {
    ADD_FAILURE() << "told";
    return 1;
  };
  start({}, {}, steer);
  send(tcp(40000, 22, kTcpSyn), 1 * kSecond);
  send(tcp(40000, 9999, 0), 2 * kSecond);
  EXPECT_EQ(alerts.size(), 2u);
  EXPECT_EQ(counters.commands, 0u);
}

TEST_F(PipelineTest, WhereTheFirstPassCanNotBeToldTheAlertComesAllTheSame) {
  config.classes[0].interest = NIDS_INTEREST_IDENTIFY;
  restart_first_pass();
  send(tcp(40000, 22, kTcpAck).payload("SSH-2.0-x"), 2 * kSecond);
  EXPECT_EQ(alerts.size(), 1u);
  EXPECT_EQ(counters.commands, 0u);
}

TEST_F(PipelineTest, OfAConnectionInATunnelTheInnerEndsAreTold) {
  send(PacketBuilder{}
           .eth()
           .ipv4({.src = "192.0.2.1", .dst = "192.0.2.2"})
           .udp({.dst_port = kVxlanPort})
           .vxlan()
           .eth()
           .ipv4({.src = "10.0.0.2", .dst = "10.0.0.1"})
           .tcp({.src_port = 40'000, .dst_port = 22, .flags = kTcpSyn}),
       1 * kSecond);

  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].observed, "a connection to tcp/22");
  EXPECT_EQ(address_text(alerts[0].ends.client, 4), "10.0.0.2");
}

TEST_F(PipelineTest, WhatDoesNotMatchTheFilterIsCountedAndNoMore) {
  start({}, only("tcp port 23"));
  send(tcp(40000, 22, kTcpSyn), 1 * kSecond);
  send(tcp(40001, 23, kTcpSyn), 2 * kSecond);
  send(tcp(40000, 22, kTcpAck).payload("SSH-2.0-x"), 3 * kSecond);

  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].class_name, "telnet");
  EXPECT_EQ(counters.consumed.packets, 3u);
  EXPECT_EQ(counters.flows_tracked, 2u) << "a flow is whole all the same";
  EXPECT_EQ(counters.not_analysed.packets, 2u);
  EXPECT_EQ(counters.not_analysed.bytes, 54u + 63u);
  EXPECT_EQ(counters.not_kept_by_policy.packets, 3u) << "without a store the third too";
  EXPECT_EQ(counters.not_kept_by_policy.bytes, 54u + 54u + 63u);
}

TEST_F(PipelineTest, AFlowIsFlaggedByItsFirstPacketThatMatches) {
  start({}, only("tcp[tcpflags] & tcp-ack != 0"));
  send(tcp(40000, 22, kTcpSyn), 1 * kSecond);
  EXPECT_TRUE(alerts.empty());
  send(tcp(40000, 22, kTcpAck), 2 * kSecond);
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].time.ns, 2 * kSecond);
}

TEST_F(PipelineTest, WhatWasLeftOutIsNotSteered) {
  config.classes[0].interest = NIDS_INTEREST_IDENTIFY;
  restart_first_pass();
  const Pipeline::Steer steer = [](auto&&...) -> std::uint32_t {
    ADD_FAILURE() << "told";
    return 1;
  };
  start({}, only("udp"), steer);
  send(tcp(40000, 22, kTcpAck).payload("SSH-2.0-x"), 1 * kSecond);
  EXPECT_EQ(counters.not_analysed.packets, 1u);
}

TEST_F(PipelineTest, BehindTheLastSuspiciousPacketNothingIsAnalysed) {
  start({}, {.filter = {}, .max_suspicious = 2});
  send(tcp(40000, 22, kTcpSyn), 1 * kSecond);
  send(tcp(40000, 22, kTcpAck), 2 * kSecond);  // of a flow that is flagged already
  EXPECT_FALSE(worker->has_enough());
  send(tcp(40001, 23, kTcpSyn), 3 * kSecond);
  EXPECT_TRUE(worker->has_enough());
  send(tcp(40002, 5900, kTcpSyn), 4 * kSecond);

  EXPECT_EQ(alerts.size(), 2u);
  EXPECT_EQ(counters.not_analysed.packets, 1u);
  EXPECT_EQ(counters.flows_tracked, 3u);
}

TEST_F(PipelineTest, ASuppressedAlertMakesAPacketSuspiciousAndTwoAlertsMakeOne) {
  start({}, {.filter = {}, .max_suspicious = 3});
  send(tcp(40000, 22, 0), 1 * kSecond);  // flagged, and with a finding
  EXPECT_EQ(alerts.size(), 2u);
  send(tcp(40001, 22, kTcpSyn), 2 * kSecond);  // suppressed
  EXPECT_FALSE(worker->has_enough());
  send(tcp(40002, 22, kTcpSyn), 3 * kSecond);
  EXPECT_TRUE(worker->has_enough());
  EXPECT_EQ(counters.alerts_suppressed, 2u);
  EXPECT_EQ(alerts.size(), 2u);
}

TEST_F(PipelineTest, TheStoreIsAskedForSoManyPacketsAndNotForMore) {
  std::string pattern = ::testing::TempDir() + "pipeline.XXXXXX";
  const std::string directory = ::mkdtemp(pattern.data());
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  auto store = Store::open(fd, directory, {{0, {.name = "v0", .description = ""}}}, {});
  ASSERT_TRUE(store);
  Sinks sinks;
  sinks.store.emplace(std::move(*store));
  start(std::move(sinks), {.filter = {}, .max_kept = 2});
  for (std::uint16_t i = 0; i < 5; ++i)
    send(tcp(static_cast<std::uint16_t>(40000 + i), 22, kTcpSyn), (1 + i) * 100 * kSecond);

  EXPECT_EQ(alerts.size(), 5u) << "alerting goes on";
  EXPECT_EQ(counters.retained.packets, 2u);
  EXPECT_EQ(counters.not_kept_by_policy.packets, 3u);
  EXPECT_EQ(counters.not_kept_by_policy.bytes, 3u * 54);
  EXPECT_EQ(counters.not_analysed.packets, 0u);
  worker.reset();
  ::close(fd);
  std::filesystem::remove_all(directory);
}

TEST_F(PipelineTest, WhyTheIndexCannotBeWrittenIsSaidOnceAndDegraded) {
  std::string pattern = ::testing::TempDir() + "pipeline.XXXXXX";
  const std::string directory = ::mkdtemp(pattern.data());
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  auto store = Store::open(fd, directory, {{0, {.name = "v0", .description = ""}}},
                           {.retry_index_after = std::chrono::milliseconds(0)});
  ASSERT_TRUE(store);
  ASSERT_TRUE(store->start());
  std::vector<std::string> warnings;
  Sinks sinks;
  sinks.store.emplace(std::move(*store));
  sinks.warning = [&](const std::string& text) { warnings.push_back(text); };
  start(std::move(sinks));
  {
    const FileSizeLimit limit(4000);  // the file of packets is below it, the index above
    send(tcp(40000, 22, kTcpSyn), 1 * kSecond);
    worker->outputs().finish({});
    worker->outputs().finish({});
  }
  EXPECT_EQ(counters.degraded, std::uint64_t{NIDS_DEGRADED_INDEX});
  EXPECT_EQ(counters.alerts_not_indexed, 1u);
  EXPECT_EQ(counters.retained.packets, 1u);
  ASSERT_FALSE(warnings.empty());
  for (const std::string& text : warnings) {
    EXPECT_EQ(text.rfind("cannot write the index of kept packets: ", 0), 0u) << text;
    EXPECT_EQ(std::ranges::count(warnings, text), 1) << text;
  }
  worker.reset();
  ::close(fd);
  std::filesystem::remove_all(directory);
}

TEST_F(PipelineTest, WhatAnAgentThatDiedHeldOrDidNotWriteIsCountedByTheNext) {
  nids_agent_counters left{};
  left.retained = {10, 1000};
  left.written = {7, 700};
  left.held = {2, 200};
  worker->watch(tables_of(*first_pass), left);
  EXPECT_EQ(left.retained.packets, 7u);
  EXPECT_EQ(left.retained.bytes, 700u);
  EXPECT_EQ(left.not_kept_by_error.packets, 3u);
  EXPECT_EQ(left.not_kept_by_error.bytes, 300u);
  EXPECT_EQ(left.not_kept_by_policy.packets, 2u);
  EXPECT_EQ(left.held.packets, 0u);
  EXPECT_EQ(waiting_of(left).packets, 0u);
}

TEST_F(PipelineTest, WhereNoneIsToBeKeptAMissingStoreLosesNone) {
  Sinks missing;
  missing.store_is_missing = true;
  start(std::move(missing), {.filter = {}, .max_kept = 0});
  send(tcp(40000, 22, kTcpSyn), 1 * kSecond);
  EXPECT_EQ(counters.not_kept_by_error.packets, 0u);
  EXPECT_EQ(counters.not_kept_by_policy.packets, 1u);
}

TEST_F(PipelineTest, ARecordThatIsNoneIsCountedAndLeftAlone) {
  const std::vector<std::byte> rubbish(200, std::byte{0xff});
  worker->record(rubbish, counters);

  EXPECT_EQ(counters.invalid_records, 1u);
  EXPECT_TRUE(alerts.empty());
}

}  // namespace
}  // namespace nids
