// SPDX-License-Identifier: Apache-2.0
#include "flow/flow_table.hpp"

#include <gtest/gtest.h>

#include "support/track.hpp"

namespace nids {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

Packet packet_from(std::uint8_t client, std::uint16_t client_port, std::uint64_t time_ns) {
  Packet packet;
  packet.time = {time_ns};
  packet.class_id = 1;
  nids_packet& h = packet.headers;
  h.src[0] = 10;
  h.src[3] = client;
  h.dst[0] = 10;
  h.dst[3] = 1;
  h.src_port = client_port;
  h.dst_port = 22;
  h.ip_version = 4;
  h.l4_proto = 6;
  h.transport = NIDS_TRANSPORT_TCP;
  return packet;
}

Packet answer_to(const Packet& packet) {
  Packet answer = packet;
  std::swap(answer.headers.src, answer.headers.dst);
  std::swap(answer.headers.src_port, answer.headers.dst_port);
  answer.from_opener = !packet.from_opener;
  return answer;
}

void keep_quiet(const Flow&, FlowReason) {}

std::string community_id_of(const Packet& packet) {
  FlowTable table({}, keep_quiet);
  return track(table, packet).community_id(0);
}

TEST(FlowCountsTest, CountsBeyond32BitsAreWhole) {
  Flow flow;
  EXPECT_FALSE(flow.has_counts());
  flow.count(1, 0xffff'ffff, 0xffff'fffe);
  flow.count(1, 1, 3);
  EXPECT_TRUE(flow.has_counts()) << "the low half is 0";
  flow.count(0, 5, 1ull << 62);
  flow.count(0, 0, (1ull << 62) - 1);
  EXPECT_EQ(flow.counts().packets[1], 1ull << 32);
  EXPECT_EQ(flow.counts().bytes[1], (1ull << 32) + 1);
  EXPECT_EQ(flow.counts().packets[0], 5u);
  EXPECT_EQ(flow.counts().bytes[0], (1ull << 63) - 1);
  flow.remember_counts();
  flow.clear_counts();
  EXPECT_FALSE(flow.has_counts());
  flow.count(1, 2, 200);
  EXPECT_EQ(flow.counts().packets[1], 2u);
  EXPECT_EQ(flow.all_counts().packets[1], (1ull << 32) + 2);
  EXPECT_EQ(flow.all_counts().bytes[1], (1ull << 32) + 201);
}

TEST(FlowTable, BothDirectionsAreOneFlowWithTheOpenerAsClient) {
  FlowTable table({}, keep_quiet);
  const Packet request = packet_from(2, 40000, kSecond);
  const std::uint64_t id = track(table, request).id;
  const Flow& flow = track(table, answer_to(request));

  EXPECT_EQ(table.size(), 1u);
  EXPECT_EQ(flow.id, id);
  EXPECT_EQ(flow.ends().client[3], 2);
  EXPECT_EQ(flow.ends().client_port, 40000);
  EXPECT_EQ(flow.ends().server_port, 22);
}

TEST(FlowTable, AFlowSeenFirstByItsAnswerStillHasItsOpenerAsClient) {
  FlowTable table({}, keep_quiet);
  const Flow& flow = track(table, answer_to(packet_from(2, 40000, kSecond)));

  EXPECT_EQ(flow.ends().client_port, 40000);
  EXPECT_EQ(flow.ends().server_port, 22);
}

TEST(FlowTable, AtItsCapTheFlowSilentLongestGoesAndIsCounted) {
  FlowTable table({.max_flows = 2}, keep_quiet);
  const std::uint64_t first = track(table, packet_from(2, 1, 1 * kSecond)).id;
  const std::uint64_t second = track(table, packet_from(3, 1, 2 * kSecond)).id;
  EXPECT_EQ(track(table, packet_from(2, 1, 3 * kSecond)).id, first);
  track(table, packet_from(4, 1, 4 * kSecond));

  EXPECT_EQ(table.size(), 2u);
  EXPECT_EQ(table.evictions(), 1u);
  EXPECT_EQ(track(table, packet_from(2, 1, 5 * kSecond)).id, first);
  EXPECT_NE(track(table, packet_from(3, 1, 6 * kSecond)).id, second);
}

TEST(FlowTable, InATunnelTheProtocolInsideDecidesAndNotTheOutermost) {
  FlowTable table({}, keep_quiet);
  Packet plain = packet_from(2, 40'000, kSecond);
  Packet wrapped = plain;
  wrapped.headers.tunnel = NIDS_TUNNEL_GRE;
  wrapped.headers.transport = NIDS_TRANSPORT_OTHER;
  wrapped.headers.tcp_flags = 0x01;
  const std::uint64_t first = track(table, wrapped).id;
  wrapped.time = {2 * kSecond};
  wrapped.headers.tcp_flags = 0x02;
  EXPECT_NE(track(table, wrapped).id, first) << "a SYN after the end begins a new flow";

  for (Packet* echo : {&plain, &wrapped}) {
    echo->headers.l4_proto = 1;
    echo->headers.icmp_type = 8;
    echo->headers.src_port = echo->headers.dst_port = 7;
  }
  plain.headers.transport = NIDS_TRANSPORT_ICMP;
  EXPECT_EQ(community_id_of(plain), community_id_of(wrapped));
}

TEST(FlowTable, AForgottenFlowBeginsAnew) {
  FlowTable table({}, keep_quiet);
  const std::uint64_t id = track(table, packet_from(2, 1, 10 * kSecond)).id;
  table.end_all(FlowReason::kShutdown);

  EXPECT_EQ(table.size(), 0u);
  EXPECT_NE(track(table, packet_from(2, 1, 20 * kSecond)).id, id);
}

TEST(FlowTable, FlowIdsFitIntoADouble) {
  FlowTable table({}, keep_quiet);
  for (std::uint16_t port = 1; port < 1000; ++port)
    EXPECT_LT(track(table, packet_from(2, port, port * kSecond)).id, 1ull << 53);
}

// Flows that go on and one that is silent, while the wall clock is set by an hour.
TEST(FlowTable, AStepOfTheClockEndsNoFlowThatGoesOn) {
  constexpr std::uint64_t kHour = 3600 * kSecond, kBegin = 10 * kHour;
  for (const std::int64_t step : {std::int64_t{kHour}, -std::int64_t{kHour}}) {
    int ended = 0;
    FlowTable table({}, [&](const Flow& flow, FlowReason) {
      ++ended;
      EXPECT_GT(flow.last.ns, kBegin + static_cast<std::uint64_t>(step));
    });
    track(table, packet_from(2, 1000, kBegin + kSecond));
    for (int scan = 1; scan <= 5; ++scan) table.expire({kBegin + (1 + scan) * kSecond});
    table.shift(step);
    const std::uint64_t now = kBegin + static_cast<std::uint64_t>(step);
    for (int scan = 6; scan <= 50; ++scan) table.expire({now + (1 + scan) * kSecond});
    EXPECT_EQ(table.size(), 1u) << step;
    EXPECT_EQ(ended, 0);
    for (int scan = 51; scan <= 70; ++scan) table.expire({now + (1 + scan) * kSecond});
    EXPECT_EQ(table.size(), 0u) << "it is over all the same, after its minute";
  }
}

}  // namespace
}  // namespace nids
