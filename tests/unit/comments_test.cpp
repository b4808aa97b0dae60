// SPDX-License-Identifier: Apache-2.0
#include "retain/comments.hpp"

#include <gtest/gtest.h>

#include "retain/index_codec.hpp"

namespace nids {
namespace {

KeptFlow flow() {
  KeptFlow flow{.id = (1ull << 53) - 1,
                .community_id = "1:hO+sN4H+MG5MY/8hIrXPqc4ZQz0=",
                .ends = {},
                .class_name = "ssh"};
  flow.ends.ip_version = 4;
  flow.ends.l4_proto = 6;
  flow.ends.client[0] = 10;
  flow.ends.server[3] = 7;
  flow.ends.client_port = 50'000;
  flow.ends.server_port = 22;
  flow.ends.vlan[1] = 4095;
  return flow;
}

KeptAlert alert() {
  return {.id = 12,
          .time = {1'795'341'600'123'456'789},
          .signature_id = {.sid = 1001},
          .severity = 2,
          .signature = "SSH \xff connection\n",
          .flow = flow(),
          .record = R"({"alert":{"a":1},"flow":null})"};
}

TEST(Comments, FlowsComeBackTheSame) {
  for (const bool is_related : {false, true}) {
    const FlowComment comment{flow(), is_related};
    EXPECT_EQ(parse_flow_comment(flow_comment(comment)), comment);
  }
  FlowComment other{flow(), false};
  other.flow.ends = {};
  other.flow.ends.ip_version = 6;
  other.flow.ends.server[15] = 1;
  other.flow.class_name.clear();
  EXPECT_EQ(parse_flow_comment(flow_comment(other)), other);
}

TEST(Comments, AlertsComeBackTheSame) {
  KeptAlert valid = alert();
  valid.signature = "SSH connection";
  EXPECT_EQ(parse_alert_comment(alert_comment(valid)), valid);
}

TEST(Comments, TextForPeopleIsPrintable) {
  EXPECT_EQ(
      alert_text(alert()),
      "SSH \xef\xbf\xbd connection\\x0a [9000:1001] severity 2 1:hO+sN4H+MG5MY/8hIrXPqc4ZQz0=");
}

TEST(Comments, WhatIsNotOursIsNoComment) {
  const std::string good = flow_comment({flow(), false});
  EXPECT_FALSE(parse_flow_comment(""));
  EXPECT_FALSE(parse_flow_comment("a comment"));
  EXPECT_FALSE(parse_flow_comment(good.substr(0, good.size() - 1)));
  EXPECT_FALSE(parse_flow_comment("nids-xdp flow []"));
  EXPECT_FALSE(parse_alert_comment(good));
  for (
      const char* lie :
      {R"({"flow_id":-1})", R"({"flow_id":9007199254740992})", R"({"flow_id":"1"})",
       R"({"flow_id":1,"proto":6})",
       R"({"flow_id":1,"proto":256,"client":"10.0.0.1","client_port":1,"server":"10.0.0.2","server_port":2})",
       R"({"flow_id":1,"proto":6,"client":"10.0.0.1","client_port":1,"server":"::1","server_port":2})",
       R"({"flow_id":1,"proto":6,"client":"10.0.0.1","client_port":1,"server":"10.0.0.2","server_port":2,"vlan":[4096,0]})",
       R"({"flow_id":1,"proto":6,"client":"10.0.0.1","client_port":1,"server":"10.0.0.2","server_port":2,"vlan":7})"})
    EXPECT_FALSE(parse_flow_comment(std::string("nids-xdp flow ") + lie)) << lie;
  for (const char* lie :
       {R"({"flow_id":1})", R"({"id":1,"time_ns":1,"signature_id":1,"severity":0,"flow_id":1})",
        R"({"id":1,"time_ns":1,"signature_id":1,"severity":4,"flow_id":1})",
        R"({"id":9223372036854775807,"time_ns":1,"signature_id":1,"severity":1,"flow_id":1})",
        R"({"id":1,"time_ns":-1,"signature_id":1,"severity":1,"flow_id":1})"})
    EXPECT_FALSE(parse_alert_comment(std::string("nids-xdp alert ") + lie)) << lie;
}

TEST(IndexCodec, EndsComeBackTheSame) {
  const Ends ends = flow().ends;
  EXPECT_EQ(unpack_ends(pack_ends(ends)), ends);
  EXPECT_EQ(pack_ends(ends).size(), 18u);
  Ends ipv6 = ends;
  ipv6.ip_version = 6;
  ipv6.client[15] = 9;
  EXPECT_EQ(unpack_ends(pack_ends(ipv6)), ipv6);
  EXPECT_EQ(unpack_ends(pack_ends({})), Ends{});
}

TEST(IndexCodec, EndsOfAnyOtherSizeAreNone) {
  IndexBytes bytes = pack_ends(flow().ends);
  bytes.pop_back();
  EXPECT_FALSE(unpack_ends(bytes));
  bytes.push_back({});
  bytes.push_back({});
  EXPECT_FALSE(unpack_ends(bytes));
  bytes = pack_ends(flow().ends);
  bytes[0] = std::byte{5};
  EXPECT_FALSE(unpack_ends(bytes));
}

TEST(IndexCodec, OffsetsComeBackTheSame) {
  const std::vector<std::uint64_t> offsets{0, 1, 128, 129, 1u << 20, 1ull << 40, 1ull << 62};
  EXPECT_EQ(unpack_offsets(pack_offsets(offsets)), offsets);
  EXPECT_EQ(unpack_offsets({}), std::vector<std::uint64_t>{});
  EXPECT_EQ(pack_offsets(std::vector<std::uint64_t>{200, 300}).size(), 3u);
}

TEST(IndexCodec, OffsetsThatDoNotEndAreNone) {
  EXPECT_FALSE(unpack_offsets(IndexBytes{std::byte{0x80}}));
  EXPECT_FALSE(unpack_offsets(IndexBytes(10, std::byte{0xff})));
}

}  // namespace
}  // namespace nids
