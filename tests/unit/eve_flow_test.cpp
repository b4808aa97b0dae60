// SPDX-License-Identifier: Apache-2.0
#include "log/eve_flow.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/sample_flow.hpp"

namespace nids {
namespace {

using namespace std::string_literals;
using Json = nlohmann::ordered_json;

constexpr WallTime kNow{1795341700'000'000'000};

TEST(EveFlow, IsOneLineInSuricatasOrder) {
  FlowRecord record = sample_flow();
  record.ends.vlan[0] = 5;
  record.ends.vlan[1] = 6;
  EXPECT_EQ(eve_flow_line(record, "ssh", "eth0", kNow),
            R"({"timestamp":"2026-11-22T10:01:40.000000+0000","flow_id":9007199254740991,)"
            R"("in_iface":"eth0","event_type":"flow","vlan":[5,6],"src_ip":"10.0.0.2",)"
            R"("src_port":40000,"dest_ip":"10.0.0.1","dest_port":22,"proto":"TCP","ip_v":4,)"
            R"("flow":{"pkts_toserver":120,"pkts_toclient":98,"bytes_toserver":14301,)"
            R"("bytes_toclient":8589934592,"start":"2026-11-22T10:00:00.123456+0000",)"
            R"("end":"2026-11-22T10:01:30.654321+0000","age":90,"state":"closed",)"
            R"("reason":"timeout","alerted":true},"metadata":{"flowvars":[)"
            R"({"key":"conn_state","value":"SF"},{"key":"history","value":"ShADadFf"},)"
            R"({"key":"class","value":"ssh"}]},"community_id":"1:LQU9qZlK+B5F3KDmev6m5PMibrg=",)"
            R"("tcp":{"tcp_flags":"1b","tcp_flags_ts":"1b","tcp_flags_tc":"13","syn":true,)"
            R"("fin":true,"psh":true,"ack":true,"state":"time_wait"}})"
            "\n");
}

TEST(EveFlow, IcmpHasTypesAndNoPorts) {
  FlowRecord record = sample_flow();
  record.ends = sample_ends("fe80::1", 0, "fe80::2", 0, IPPROTO_ICMPV6);
  record.icmp = IcmpTypes{.type = 128, .code = 0, .response_type = 129, .response_code = 0};
  const Json line = Json::parse(eve_flow_line(record, "", "eth0", kNow));
  EXPECT_EQ(line["proto"], "IPv6-ICMP");
  EXPECT_EQ(line["icmp_type"], 128);
  EXPECT_EQ(line["response_icmp_type"], 129);
  EXPECT_FALSE(line.contains("src_port"));
  EXPECT_FALSE(line.contains("tcp"));
}

TEST(EveFlow, WhatIsNotKnownHasNoKey) {
  FlowRecord record = sample_flow();
  record.community_id.clear();
  const Json line = Json::parse(eve_flow_line(record, "", "", kNow));
  for (const char* key : {"in_iface", "vlan", "community_id", "icmp_type"})
    EXPECT_FALSE(line.contains(key)) << key;
  EXPECT_EQ(line["metadata"]["flowvars"].size(), 2u);
}

TEST(EveFlow, HostileTextStaysOneLineOfValidJson) {
  FlowRecord record = sample_flow();
  const std::string hostile = "\"}\n\x1b[2J\xff\xc2\x9b\0"s;
  record.community_id = record.history = hostile;
  const std::string text = eve_flow_line(record, hostile, hostile, kNow);
  EXPECT_EQ(text.find_first_of("\n\x1b"), text.size() - 1);
  EXPECT_TRUE(Json::accept(text));
}

TEST(EveFlow, AClockThatStepsBackGivesNoGiganticAge) {
  FlowRecord record = sample_flow();
  record.end.ns = record.start.ns - 1;
  EXPECT_EQ(Json::parse(eve_flow_line(record, "", "", kNow))["flow"]["age"], 0);
}

}  // namespace
}  // namespace nids
