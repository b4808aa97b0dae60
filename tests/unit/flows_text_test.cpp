// SPDX-License-Identifier: Apache-2.0
#include "cli/flows_text.hpp"

#include <gtest/gtest.h>

#include "cli/short_text.hpp"
#include "support/sample_flow.hpp"

namespace nids {
namespace {

constexpr WallTime kNow{kSampleStart.ns + 125'000'000'000};

const Services& services() {
  static const Services read = Services::parse("ssh 22/tcp\ndomain 53/udp\nhttps 443/tcp\n");
  return read;
}

std::vector<NamedFlow> some_flows() {
  NamedFlow ssh{sample_flow(), "ssh"};
  NamedFlow web{sample_flow(), ""};
  web.record.ends = sample_ends("192.168.100.20", 51'234, "93.184.216.34", 443);
  web.record.ends.vlan[0] = 100;
  web.record.packets[0] = 1'234;
  web.record.bytes[0] = 99'999;
  web.record.bytes[1] = 1'048'576;
  web.record.is_alerted = false;
  web.record.state = FlowState::kEstablished;
  web.record.tcp_state = TcpState::kEstablished;
  web.record.conn_state = ConnState::kS1;
  web.record.history = "ShADad";
  NamedFlow name{sample_flow(), ""};
  name.record.ends = sample_ends("2001:db8:1:2:aaaa:bbbb:cccc:dddd", 40'000, "2001:4860:4860::8888",
                                 53, IPPROTO_UDP);
  name.record.packets[0] = name.record.packets[1] = 1;
  name.record.bytes[0] = 90;
  name.record.bytes[1] = 512;
  name.record.is_alerted = false;
  name.record.state = FlowState::kEstablished;
  name.record.history = "Dd";
  return {ssh, web, name};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

std::vector<std::string> table(std::span<const NamedFlow> flows, std::size_t width,
                               const Services* named = &services()) {
  return lines_of(flows_table(
      flows, 1'234, kNow, {.width = width, .colour = false, .services = named, .host_name = {}}));
}

using Lines = std::vector<std::string>;

TEST(FlowsTable, AtEightyColumns) {
  EXPECT_EQ(
      table(some_flows(), 80),
      (Lines{"PRO CLIENT            SERVER           STATE       >PKT >BYT <PKT <BYT CLASS AGE",
             "tcp 10.0.0.2:40000    10.0.0.1:ssh     TIME_WAIT    120  14K   98 8.0G ssh    2m",
             "tcp 192.168.100.20:51234 93.184.216.34:https",
             "                                       ESTABLISHED 1.2k  98K   98 1.0M        2m",
             "udp [2001:db8:1:2:aa…bbbb:cccc:dddd]:40000 [2001:4860:4860::8888]:domain",
             "                                       established    1   90    1  512        2m",
             "3 of 1,234 flows"}));
}

TEST(FlowsTable, WithoutAClassTheEndsHaveItsColumn) {
  const auto flows = some_flows();
  EXPECT_EQ(
      table(std::span(flows).subspan(1, 1), 81),
      (Lines{"PRO CLIENT               SERVER              STATE       >PKT >BYT <PKT <BYT AGE",
             "tcp 192.168.100.20:51234 93.184.216.34:https ESTABLISHED 1.2k  98K   98 1.0M  2m",
             "1 of 1,234 flows"}));
}

TEST(FlowsTable, AtAHundredAndTenLongAddressesAreShortened) {
  EXPECT_EQ(table(some_flows(), 110)[3],
            "udp [2001:db8:1:2:…bb:cccc:dddd]:40000 [2001:4860:4860::8888]:domain established    1 "
            "  90    1  512        2m");
}

TEST(FlowsTable, AtAHundredAndSixtyItTellsMore) {
  const auto flows = some_flows();
  EXPECT_EQ(table(std::span(flows).first(2), 160),
            (Lines{"PRO CLIENT               SERVER              STATE       >PKT >BYT <PKT <BYT "
                   "CLASS AGE START    CONN HISTORY  VLAN COMMUNITY_ID",
                   "tcp 10.0.0.2:40000       10.0.0.1:ssh        TIME_WAIT    120  14K   98 8.0G "
                   "ssh    2m 10:00:00 SF   ShADadFf      1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
                   "tcp 192.168.100.20:51234 93.184.216.34:https ESTABLISHED 1.2k  98K   98 1.0M "
                   "       2m 10:00:00 S1   ShADad   100  1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
                   "2 of 1,234 flows"}));
}

TEST(FlowsTable, NoLineIsWiderThanTheTerminal) {
  for (std::size_t width = 80; width <= 200; ++width)
    for (const std::string& line : table(some_flows(), width))
      EXPECT_LE(columns_of(line), width) << line;
}

TEST(FlowsTable, TwoAddressesNeverLookTheSame) {
  std::vector<NamedFlow> flows(2, some_flows()[2]);
  flows[1].record.ends.client[8] ^= 1;  // in the middle
  Shortener shortener;
  const auto lines = table(flows, 80);
  EXPECT_NE(lines[1], lines[3]);
  EXPECT_EQ(shortener.fit("2001:db8:0:0:1:2:3:4", 12), "2001:d…2:3:4");
  EXPECT_EQ(shortener.fit("2001:db8:0:0:9:2:3:4", 12), "2001:db8:0:0:9:2:3:4");
  EXPECT_EQ(shortener.fit("2001:db8:0:0:1:2:3:4", 12), "2001:d…2:3:4");
}

TEST(FlowsTable, PortsAreNumbersWithoutServices) {
  const auto flows = some_flows();
  EXPECT_NE(table(std::span(flows).first(1), 80, nullptr)[1].find("10.0.0.1:22 "),
            std::string::npos);
}

TEST(FlowsTable, NamesStandForAddressesThatHaveOne) {
  const auto flows = some_flows();
  FlowsTextOptions options{.width = 100, .colour = false, .services = nullptr, .host_name = {}};
  options.host_name = [](const std::uint8_t(&address)[16], std::uint8_t) {
    return address[3] == 1 ? std::optional<std::string>("gate.example") : std::nullopt;
  };
  const auto line = lines_of(flows_table(std::span(flows).first(1), 1, kNow, options))[1];
  EXPECT_TRUE(line.starts_with("tcp 10.0.0.2:40000 gate.example:22 TIME_WAIT")) << line;
}

TEST(FlowsTable, ColourOnlyWhereTold) {
  const auto flows = some_flows();
  FlowsTextOptions options{.width = 80, .colour = true, .services = nullptr, .host_name = {}};
  EXPECT_NE(flows_table(flows, 3, kNow, options).find("\x1b[31mtcp 10.0.0.2"), std::string::npos);
  options.colour = false;
  EXPECT_EQ(flows_table(flows, 3, kNow, options).find('\x1b'), std::string::npos);
}

TEST(FlowsTable, NoFlowsAreAHeaderAndATotal) {
  EXPECT_EQ(table({}, 80),
            (Lines{"PRO CLIENT SERVER STATE >PKT >BYT <PKT <BYT AGE START CONN HISTORY VLAN",
                   "0 of 1,234 flows"}));
}

TEST(FlowsTable, TextOfTheAgentIsMadeSafe) {
  auto flows = some_flows();
  flows[0].class_name = flows[0].record.history = flows[0].record.community_id = "\x1b[2J\n";
  for (const std::string& line : table(flows, 200)) EXPECT_EQ(line.find('\x1b'), std::string::npos);
  EXPECT_EQ(table(flows, 200).size(), 5u);
}

TEST(FlowChangeLine, SaysWhatHappenedWhenAndToWhom) {
  NamedFlow flow = some_flows()[0];
  const FlowsTextOptions options{
      .width = 80, .colour = false, .services = &services(), .host_name = {}};
  const WallTime when{kSampleStart.ns + 5'007'000'000};
  EXPECT_EQ(flow_change_line(ChangeSign::kEnd, flow, when, options),
            "- 10:00:05.007 tcp 10.0.0.2:40000 -> 10.0.0.1:ssh TIME_WAIT >120 14K <98 8.0G 4s SF "
            "ShADadFf ssh alerted\n");
  flow = some_flows()[2];
  flow.record.state = FlowState::kNew;
  EXPECT_EQ(flow_change_line(ChangeSign::kStart, flow, when, options),
            "+ 10:00:05.007 udp [2001:db8:1:2:aaaa:bbbb:cccc:dddd]:40000 -> "
            "[2001:4860:4860::8888]:domain new >1 90 <1 512 4s\n");
}

TEST(ShortText, NumbersHaveFourColumnsAtMost) {
  EXPECT_EQ(short_count(999), "999");
  EXPECT_EQ(short_count(1'000), "1.0k");
  EXPECT_EQ(short_count(9'949), "9.9k");
  EXPECT_EQ(short_count(9'950), "10k");
  EXPECT_EQ(short_count(999'499), "999k");
  EXPECT_EQ(short_count(999'500), "1.0M");
  EXPECT_EQ(short_bytes(1'000), "1.0K");
  EXPECT_EQ(short_bytes(1'023 * 1'024), "1.0M");
  EXPECT_EQ(short_bytes(~0ull), "16E");
  for (int bit = 0; bit < 64; ++bit) {
    EXPECT_LE(short_count((1ull << bit) - 1).size(), 4u);
    EXPECT_LE(short_bytes((1ull << bit) - 1).size(), 4u);
  }
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(1'000), "1,000");
  EXPECT_EQ(grouped(12'345'678), "12,345,678");
}

TEST(ShortText, AgesChangeTheirUnit) {
  const auto age = [](std::uint64_t seconds) { return short_age(seconds * 1'000'000'000); };
  EXPECT_EQ(age(99), "99s");
  EXPECT_EQ(age(100), "1m");
  EXPECT_EQ(age(5'999), "99m");
  EXPECT_EQ(age(6'000), "1h");
  EXPECT_EQ(age(172'800), "2d");
}

TEST(Services, AreReadFromTheFilesForm) {
  const Services read = Services::parse(
      "# comment\nssh\t22/tcp  # SSH\ndomain 53/tcp\ndomain 53/udp\nhttp 80/tcp www\n"
      "bad\x1b 1/tcp\nnone\nx 99999/tcp\ny 7/dccp\nother 22/tcp\nlast 9/sctp");
  EXPECT_EQ(read.name_of(22, IPPROTO_TCP), "ssh");
  EXPECT_EQ(read.name_of(22, IPPROTO_UDP), "");
  EXPECT_EQ(read.name_of(53, IPPROTO_UDP), "domain");
  EXPECT_EQ(read.name_of(9, IPPROTO_SCTP), "last");
  EXPECT_EQ(read.name_of(1, IPPROTO_TCP), "");
  EXPECT_EQ(read.name_of(7, 33), "");
  EXPECT_EQ(read.port_of("www"), 80);
  EXPECT_EQ(read.port_of("other"), 22);
  EXPECT_FALSE(read.port_of("gopher"));
  EXPECT_FALSE(Services::load("/nonexistent").port_of("ssh"));
}

}  // namespace
}  // namespace nids
