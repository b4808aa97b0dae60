// SPDX-License-Identifier: Apache-2.0
#include "log/flow_json.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/sample_flow.hpp"

namespace nids {
namespace {

using Json = nlohmann::ordered_json;

// As it comes over the socket: text, then an object.
Result<NamedFlow> sent(const FlowRecord& record, std::string_view class_name) {
  return parse_flow_json(Json::parse(flow_json(record, class_name).dump()));
}

void expect_same(const FlowRecord& record, std::string_view class_name) {
  const auto flow = sent(record, class_name);
  ASSERT_TRUE(flow) << flow.error().message();
  EXPECT_EQ(flow->class_name, class_name);
  EXPECT_EQ(flow_json(flow->record, flow->class_name), flow_json(record, class_name));
}

TEST(FlowJson, HasTheShapeOfTheContract) {
  FlowRecord record = sample_flow();
  record.ends.vlan[0] = 5;
  EXPECT_EQ(
      flow_json(record, "ssh").dump(),
      R"({"proto":"TCP","src_ip":"10.0.0.2","src_port":40000,"dest_ip":"10.0.0.1","dest_port":22,)"
      R"("ip_v":4,"flow_id":9007199254740991,"community_id":"1:LQU9qZlK+B5F3KDmev6m5PMibrg=",)"
      R"("vlan":[5],"flow":{"pkts_toserver":120,"pkts_toclient":98,"bytes_toserver":14301,)"
      R"("bytes_toclient":8589934592,"start":"2026-11-22T10:00:00.123456+0000",)"
      R"("end":"2026-11-22T10:01:30.654321+0000","age":90,"state":"closed","reason":"timeout",)"
      R"("alerted":true},"tcp":{"tcp_flags":"1b","tcp_flags_ts":"1b","tcp_flags_tc":"13",)"
      R"("syn":true,"fin":true,"psh":true,"ack":true,"state":"time_wait"},"conn_state":"SF",)"
      R"("history":"ShADadFf","class":"ssh"})");
}

TEST(FlowJson, IsReadBackWhole) {
  const FlowRecord record = sample_flow();
  const auto flow = sent(record, "ssh");
  ASSERT_TRUE(flow);
  EXPECT_EQ(flow->record.id, record.id);
  EXPECT_EQ(flow->record.ends.client_port, 40'000);
  EXPECT_EQ(flow->record.bytes[1], 1ull << 33);
  EXPECT_EQ(flow->record.tcp_flags[1], 0x13);
  EXPECT_EQ(flow->record.tcp_state, TcpState::kTimeWait);
  EXPECT_EQ(flow->record.start, record.start);
  expect_same(record, "ssh");
}

TEST(FlowJson, EveryNameIsReadBack) {
  FlowRecord record = sample_flow();
  for (int i = 0; i <= static_cast<int>(ConnState::kOTH); ++i) {
    record.conn_state = static_cast<ConnState>(i);
    expect_same(record, "");
  }
  for (int i = 0; i <= static_cast<int>(TcpState::kClosed); ++i) {
    record.tcp_state = static_cast<TcpState>(i);
    expect_same(record, "");
  }
  for (int i = 0; i <= static_cast<int>(FlowReason::kInterim); ++i) {
    record.reason = static_cast<FlowReason>(i);
    record.state = static_cast<FlowState>(i);
    expect_same(record, "");
  }
}

TEST(FlowJson, OtherProtocolsHaveNoPortsAndNoTcp) {
  FlowRecord record = sample_flow();
  record.ends = sample_ends("2001:db8::1", 0, "::ffff:10.0.0.1", 0, IPPROTO_GRE);
  const Json object = flow_json(record, "");
  for (const char* key : {"src_port", "dest_port", "tcp", "icmp_type", "class", "continued"})
    EXPECT_FALSE(object.contains(key)) << key;
  expect_same(record, "");
}

TEST(FlowJson, IcmpHasItsTypesAndTheAnswers) {
  FlowRecord record = sample_flow();
  record.ends = sample_ends("10.0.0.1", 8, "10.0.0.2", 0, IPPROTO_ICMP);
  record.icmp = IcmpTypes{.type = 8, .code = 0, .response_type = {}, .response_code = {}};
  EXPECT_FALSE(flow_json(record, "").contains("response_icmp_type"));
  expect_same(record, "");
  record.icmp->response_type = 3;
  record.icmp->response_code = 1;
  EXPECT_EQ(flow_json(record, "")["response_icmp_type"], 3);
  expect_same(record, "");
}

TEST(FlowJson, ContinuedFlowsSaySo) {
  FlowRecord record = sample_flow();
  record.is_continued = true;
  record.ends.vlan[0] = 4095;
  record.ends.vlan[1] = 1;
  expect_same(record, "ssh");
}

TEST(FlowJson, AKeyOfANewerAgentIsPassedOver) {
  Json object = flow_json(sample_flow(), "ssh");
  object["novelty"] = {1, 2};
  object["flow"]["emergency"] = true;
  EXPECT_TRUE(parse_flow_json(object));
}

TEST(FlowJson, GarbageIsRefusedByTheNameOfItsKey) {
  const auto refused = [](const char* pointer, const Json& value) {
    Json object = flow_json(sample_flow(), "ssh");
    object[Json::json_pointer(pointer)] = value;
    const auto flow = parse_flow_json(object);
    const std::string key = std::string(pointer).substr(std::string(pointer).rfind('/') + 1);
    ASSERT_FALSE(flow) << pointer << ' ' << value;
    EXPECT_EQ(flow.error().reason, "its \"" + key + "\" is missing or wrong");
  };
  refused("/proto", "tcp");
  refused("/proto", 6);
  refused("/src_ip", "10.0.0");
  refused("/dest_ip", "::1");  // src_ip is of IPv4
  refused("/src_port", 65'536);
  refused("/dest_port", -1);
  refused("/dest_port", 22.5);
  refused("/flow_id", 1ull << 53);
  refused("/vlan", {4096});
  refused("/vlan", {1, 2, 3});
  refused("/vlan", Json::array());
  refused("/vlan", 7);
  refused("/flow", nullptr);
  refused("/flow/pkts_toserver", "1");
  refused("/flow/start", "yesterday");
  refused("/flow/state", "open");
  refused("/flow/alerted", 1);
  refused("/tcp", Json::array());
  refused("/tcp/tcp_flags_ts", "100");
  refused("/tcp/tcp_flags_tc", "0x");
  refused("/tcp/state", "ESTABLISHED");
  refused("/conn_state", "S9");
  refused("/history", std::string(300, 'a'));
  refused("/class", 22);
}

TEST(FlowJson, WhatIsMissingIsRefused) {
  const Json whole = flow_json(sample_flow(), "ssh");
  for (const auto& [key, value] : whole.items()) {
    Json object = whole;
    object.erase(key);
    const bool may_lack = key == "class" || key == "community_id" || key == "ip_v";
    EXPECT_EQ(static_cast<bool>(parse_flow_json(object)), may_lack) << key;
  }
  for (const Json& nothing : {Json(), Json(1), Json("flow"), Json::array(), Json::object()})
    EXPECT_FALSE(parse_flow_json(nothing));
}

}  // namespace
}  // namespace nids
