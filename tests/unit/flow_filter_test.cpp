// SPDX-License-Identifier: Apache-2.0
#include "flow/flow_filter.hpp"

#include <gtest/gtest.h>

#include "cli/filter_expression.hpp"
#include "support/sample_flow.hpp"

namespace nids {
namespace {

const Services& services() {
  static const Services read =
      Services::parse("ssh 22/tcp\ndomain 53/tcp\ndomain 53/udp\ntelnet 23/tcp\n");
  return read;
}

bool matches(std::string_view expression, const Ends& ends) {
  const auto filter = compile_flow_filter(expression, services());
  EXPECT_TRUE(filter) << filter.error().message();
  if (!filter) return false;
  const auto sent = FlowFilter::parse(filter->text());
  EXPECT_TRUE(sent) << expression;
  return sent && sent->matches(ends);
}

std::string why_not(std::string_view expression) {
  const auto filter = compile_flow_filter(expression, services());
  EXPECT_FALSE(filter) << expression;
  return filter ? "" : filter.error().message();
}

Ends tagged(Ends ends, std::uint16_t outer, std::uint16_t inner = 0) {
  ends.vlan[0] = outer;
  ends.vlan[1] = inner;
  return ends;
}

const Ends kSsh = sample_ends("10.0.0.2", 40'000, "10.0.0.1", 22);
const Ends kDns = sample_ends("10.0.0.2", 5'353, "8.8.8.8", 53, IPPROTO_UDP);
const Ends kSsh6 = sample_ends("2001:db8::2", 40'000, "2001:db8::1", 22);
const Ends kPing = sample_ends("10.0.0.2", 8, "10.0.0.1", 0, IPPROTO_ICMP);

TEST(FlowFilter, AddressesNetworksAndPorts) {
  for (const char* yes : {"",
                          "ip",
                          "tcp",
                          "host 10.0.0.1",
                          "src or dst 10.0.0.2",
                          "net 10.0.0.0/8",
                          "net 10",
                          "port 22",
                          "port ssh",
                          "tcp port ssh",
                          "portrange 20-25",
                          "port 40000",
                          "ip proto 6",
                          "ip proto \\tcp",
                          "host 10.0.0.1 and host 10.0.0.2",
                          "not port 53",
                          "ip[16:4] = 0x0a000001",
                          "tcp[0:2] > 1024",
                          "net 10.0.0.0 mask 255.0.0.0",
                          "host 10.0.0.1 && (port 22 || port 53)",
                          "ether proto \\ip",
                          "ether proto 0x800",
                          "ip[0] & 0xf = 5",
                          "ip[6:2] & 0x1fff = 0",
                          "(ip[0] & 0xf0) >> 4 == 4",
                          "not (udp or icmp)"})
    EXPECT_TRUE(matches(yes, kSsh)) << yes;
  for (const char* no : {"ip6", "udp", "host 10.0.0.3", "port 53", "net 192.168.0.0/16",
                         "portrange 1-21", "not tcp", "ip proto 17", "udp port 22"})
    EXPECT_FALSE(matches(no, kSsh)) << no;
}

TEST(FlowFilter, Ipv6) {
  for (const char* yes : {"ip6", "tcp", "port 22", "host 2001:db8::1", "net 2001:db8::/32",
                          "ip6 host 2001:db8::2", "ip6 proto 6", "not ip"})
    EXPECT_TRUE(matches(yes, kSsh6)) << yes;
  for (const char* no : {"ip", "udp", "host 2001:db8::3", "host ::ffff:10.0.0.1", "port 23"})
    EXPECT_FALSE(matches(no, kSsh6)) << no;
}

TEST(FlowFilter, OtherProtocols) {
  EXPECT_TRUE(matches("icmp", kPing));
  EXPECT_TRUE(matches("icmp and host 10.0.0.1", kPing));
  EXPECT_FALSE(matches("port 8", kPing));
  EXPECT_TRUE(matches("icmp6", sample_ends("::1", 0, "::1", 0, IPPROTO_ICMPV6)));
  EXPECT_TRUE(matches("proto 47", sample_ends("10.0.0.1", 0, "10.0.0.2", 0, IPPROTO_GRE)));
  EXPECT_TRUE(matches("sctp port 53", sample_ends("::1", 53, "::1", 9, IPPROTO_SCTP)));
  EXPECT_TRUE(matches("udp port domain", kDns));
}

TEST(FlowFilter, EitherDirectionsPacketsWillDo) {
  EXPECT_TRUE(matches("src host 10.0.0.2", kSsh));
  EXPECT_TRUE(matches("src host 10.0.0.1", kSsh));
  EXPECT_TRUE(matches("dst port 22 and src 10.0.0.2", kSsh));
  EXPECT_FALSE(matches("dst port 22 and src 10.0.0.1", kSsh));
  EXPECT_TRUE(matches("not src host 10.0.0.1", kSsh));  // the client's packets aren't
  EXPECT_FALSE(matches("not host 10.0.0.1", kSsh));
}

TEST(FlowFilter, VlanTagsAreThoseOfACapture) {
  const Ends one = tagged(kSsh, 5), two = tagged(kSsh, 5, 6);
  EXPECT_TRUE(matches("vlan", one));
  EXPECT_TRUE(matches("vlan 5", one));
  EXPECT_FALSE(matches("vlan 6", one));
  EXPECT_FALSE(matches("vlan", kSsh));
  EXPECT_TRUE(matches("not vlan", kSsh));
  EXPECT_TRUE(matches("vlan and port 22", one));
  EXPECT_TRUE(matches("vlan 5 and host 10.0.0.1", one));
  EXPECT_FALSE(matches("port 22", one));
  EXPECT_TRUE(matches("port 22 or (vlan and port 22)", one));
  EXPECT_TRUE(matches("port 22 or (vlan and port 22)", kSsh));
  EXPECT_TRUE(matches("vlan 5 and vlan 6", two));
  EXPECT_TRUE(matches("vlan 5 and vlan 6 and port 22", two));
  EXPECT_FALSE(matches("vlan 5 and port 22", two));
  EXPECT_TRUE(matches("vlan and ip6 and port 22", tagged(kSsh6, 4095)));
}

TEST(FlowFilter, WhatFlowsCantTellIsNamed) {
  const auto names = [](std::string_view expression, std::string_view field) {
    const std::string message = why_not(expression);
    EXPECT_NE(message.find("flows can't tell " + std::string(field) + "\n"), message.npos)
        << message;
  };
  names("tcp[tcpflags] & tcp-syn != 0", "TCP flags");
  names("tcp[13] = 2 or port 22", "TCP flags");
  names("greater 100", "lengths");
  names("less 100", "lengths");
  names("len > 5", "lengths");
  names("ip[2:2] > 100", "lengths");
  names("ip6[4:2] > 100", "lengths");
  names("udp[4:2] > 8", "lengths");
  names("ether host 00:11:22:33:44:55", "MAC addresses");
  names("ether src 00:11:22:33:44:55", "MAC addresses");
  names("ether broadcast", "MAC addresses");
  names("multicast", "MAC addresses");
  names("ip[1] = 0", "the type of service");
  names("ip[8] < 5", "the time to live");
  names("ip[6] & 0x40 != 0", "fragment flags");
  names("ip6[7] = 1", "the hop limit");
  names("ip6[0] & 0xf = 0", "the traffic class");
  names("tcp[4:4] = 0", "sequence numbers");
  names("tcp[20] = 0x47", "TCP options and payload");
  names("udp[8] = 1", "payload");
  names("icmp[icmptype] = icmp-echo", "ICMP types and codes");
  names("ether[14:2] & 0xe000 = 0 and vlan", "VLAN priorities");
  names("ip[20] = 1 and ip proto 47", "payload");
  names("ip[ip[16]] = 1", "what stands at a varying place");
}

TEST(FlowFilter, AMisreadVlanIsExplained) {
  EXPECT_NE(why_not("not vlan and port 22").find("even after `not vlan`"), std::string::npos);
}

TEST(FlowFilter, WhatNoFlowCouldMatchIsRefused) {
  for (const char* expression : {"arp", "ether proto 0x8847", "mpls", "ip proto 6 and ip6"})
    EXPECT_NE(why_not(expression).find("filter by"), std::string::npos) << expression;
  EXPECT_NE(why_not("arp").find("no flow could match"), std::string::npos);
  EXPECT_TRUE(matches("arp or port 22", kSsh));
}

TEST(FlowFilter, NoNameIsLookedUp) {
  for (const char* expression : {"host example.org",
                                 "src example.org",
                                 "example.org",
                                 "dst host a",
                                 "net corp",
                                 "gateway gw",
                                 "ether host router",
                                 "port 22 or example.org",
                                 "port ssh or telnet",
                                 "port (ssh or telnet)",
                                 "(port ssh) or telnet",
                                 "host ssh",
                                 "host \\ssh",
                                 "src net local",
                                 "tcp src ssh",
                                 "len-4 > 1",
                                 "host 1.2.3.4.5",
                                 "host 10.0.0.1-2",
                                 "host deadbeef",
                                 "host de:ad",
                                 "HOST 10.0.0.1",
                                 "portrange ssh-telnet",
                                 "host 10.0.0.1 or\nlocalhost",
                                 "ip host _dmarc",
                                 "host a\\b"})
    EXPECT_NE(why_not(expression).find('"'), std::string::npos) << expression;
  EXPECT_NE(why_not("host example.org").find("\"example.org\" is a name"), std::string::npos);
  EXPECT_NE(why_not("port gopher").find("no port's name"), std::string::npos);
  EXPECT_NE(why_not("host 10.0.0.1;").find("has no meaning"), std::string::npos);
  EXPECT_NE(why_not(std::string_view("ip\0or", 5)).find("has no meaning"), std::string::npos);
  EXPECT_NE(why_not(std::string(5'000, '(')).find("longer than"), std::string::npos);
  EXPECT_EQ(*numeric_expression("tcp port ssh and not port domain", services()),
            "tcp port 22 and not port 53");
}

TEST(FlowFilter, AWrongExpressionHasLibpcapsReason) {
  EXPECT_NE(why_not("port port").find("syntax error"), std::string::npos);
  EXPECT_NE(why_not("host 10.0.0.1 and").find("syntax error"), std::string::npos);
}

TEST(FlowFilter, LoopsAreRefused) {
  const std::string message = why_not("ip6 protochain 6");
  EXPECT_NE(message.find("or loops"), std::string::npos) << message;
}

TEST(FlowFilter, ItsTextIsTcpdumps) {
  const auto filter = compile_flow_filter("ip", services());
  ASSERT_TRUE(filter);
  EXPECT_EQ(filter->text(), "4,40 0 0 12,21 0 1 2048,6 0 0 65535,6 0 0 0");
}

TEST(FlowFilter, AProgramFromAnotherProcessIsNotTrusted) {
  for (const char* text :
       {"",
        "0",
        "1",
        "1,",
        "x",
        "1,6 0 0",
        "1,6 0 0 1 ",
        "2,6 0 0 1",
        "1,6 0 0 1,6 0 0 1",
        "1,65536 0 0 1",
        "1,6 256 0 1",
        "1,6 0 0 4294967296",
        "-1,6 0 0 1",
        "99999999999,6 0 0 1",
        "1,6 0 0 -1",
        "1,40 0 0 12",                 // no return
        "2,5 0 0 4294967295,6 0 0 1",  // jumps back
        "2,5 0 0 1,6 0 0 1",           // jumps out
        "2,21 1 0 0,6 0 0 1",          //
        "2,96 0 0 16,22 0 0 0",        // the 17th scratch word
        "2,96 0 0 3,22 0 0 0",         // a scratch word never written: the agent's stack
        "2,255 0 0 0,6 0 0 1",         // no such code
        "4,40 0 0 4294963200,21 0 1 1,6 0 0 1,6 0 0 0",  // the kernel's own offsets
        "4,40 0 0 0,21 0 1 1,6 0 0 1,6 0 0 0",           // MAC addresses
        "1,6 0 0 0"})                                    // never
    EXPECT_FALSE(FlowFilter::parse(text)) << text;
  EXPECT_TRUE(FlowFilter::parse("1,6 0 0 1"));
  EXPECT_TRUE(FlowFilter::parse("3,2 0 0 3,96 0 0 3,6 0 0 1"));  // the word was written
}

TEST(FlowFilter, NoCodeAbortsTheAgent) {
  for (unsigned code = 0; code <= 0xffff; ++code) {
    const std::vector<FilterInstruction> program{
        {0x00, 0, 0, 1}, {static_cast<std::uint16_t>(code), 0, 0, 0}, {0x06, 0, 0, 1}};
    if (const auto filter = FlowFilter::of(program)) filter->matches(kSsh);
  }
}

TEST(FlowFilter, ALongProgramIsRefused) {
  std::vector<FilterInstruction> program(FlowFilter::kMaxInstructions - 1, {0x00, 0, 0, 1});
  program.push_back({0x06, 0, 0, 1});
  EXPECT_TRUE(FlowFilter::of(program));
  program.insert(program.begin(), {0x00, 0, 0, 1});
  EXPECT_FALSE(FlowFilter::of(program));
}

TEST(FlowFilter, AFlowWithoutIpMatchesNothing) { EXPECT_FALSE(matches("", Ends{})); }

}  // namespace
}  // namespace nids
