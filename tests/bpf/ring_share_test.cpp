// SPDX-License-Identifier: Apache-2.0
// Who gets the last quarter of a ring that nobody empties: packets of flows that go on, and never
// what an attacker can make as much of as he likes.
#include <algorithm>

#include "support/first_pass_program.hpp"

namespace nids {
namespace {

constexpr std::uint64_t kRecordBytes = sizeof(nids_packet_event) + 128;  // of the smallest room
constexpr std::uint64_t kRingHeadBytes = 8;                              // that the kernel adds

class RingShare : public FirstPassProgram {
 protected:
  // One packet of a flow from 10.X.Y.Z, by number, to 10.0.0.2, or the answer to it.
  static PacketBuilder packet(std::uint32_t source, std::uint16_t port, std::uint8_t flags,
                              bool is_answer = false) {
    const std::string from = "10." + std::to_string(1 + source / 62'500) + '.' +
                             std::to_string(source / 250 % 250) + '.' +
                             std::to_string(source % 250);
    const std::string to = "10.0.0.2";
    return PacketBuilder{}
        .eth()
        .ipv4({.src = is_answer ? to : from, .dst = is_answer ? from : to})
        .tcp({.src_port = is_answer ? port : std::uint16_t{40'000},
              .dst_port = is_answer ? std::uint16_t{40'000} : port,
              .flags = flags});
  }

  std::uint64_t lost(nids_reason reason) { return program().counters().ring_lost[reason].packets; }
};

TEST_F(RingShare, RecordsOfFlowsLeaveTheLastQuarterToPackets) {
  constexpr std::uint32_t kRing = 64 << 10;
  reload({.sets4_per_cpu = 1, .ring_bytes = kRing});
  for (std::uint32_t source = 0; source < 2'000; ++source) ingress(packet(source, 9, kTcpSyn));
  EXPECT_GT(lost(NIDS_REASON_FLOW_EXPORT), 0u);
  EXPECT_EQ(program().counters().unaccounted.packets, lost(NIDS_REASON_FLOW_EXPORT));

  // The ring is asked once for a 64th of it.
  constexpr std::uint64_t kFit = (kRing / 4 - kRing / 64) / (kRecordBytes + kRingHeadBytes);
  for (std::uint64_t i = 0; i < kFit - 1; ++i) ingress(packet(5'000, 22, kTcpAck));
  EXPECT_EQ(lost(NIDS_REASON_CAPTURE), 0u);
  EXPECT_EQ(drained().packets.size(), kFit - 1);
  expect_ledger();
}

TEST_F(RingShare, ForgedFirstPacketsOfAClassHideNoAnsweredHandshake) {
  reload({.sets4_per_cpu = 16'384, .ring_bytes = 8 << 20, .is_timeless = true});
  constexpr std::uint32_t kForged = 100'000, kReal = kForged + 1;
  for (std::uint32_t source = 0; source < kForged; ++source) ingress(packet(source, 22, kTcpSyn));
  const std::uint64_t withheld = program().counters().first_packets_withheld;
  EXPECT_GT(withheld, kForged / 2);

  ingress(packet(kReal, 22, kTcpSyn));
  ingress(packet(kReal, 22, kTcpSyn | kTcpAck, true));
  ingress(packet(kReal, 22, kTcpAck));
  const std::uint64_t in_all = program().counters().first_packets_withheld;
  EXPECT_LE(in_all, withheld + 1) << "its SYN at most";
  EXPECT_EQ(lost(NIDS_REASON_CAPTURE), in_all) << "nothing but first packets was lost";
  EXPECT_EQ(program().counters().classes[kSsh].lost.packets, in_all);

  const auto& records = drained().packets;
  EXPECT_EQ(records.size() + in_all, kForged + 3u);
  const auto is_answer = [](const PacketRecord& record) {
    return record.head.packet.tcp_flags == (kTcpSyn | kTcpAck);
  };
  EXPECT_EQ(std::ranges::count_if(records, is_answer), 1);
  EXPECT_EQ(records.back().head.packet.tcp_flags, kTcpAck);
  expect_ledger();
}

TEST_F(RingShare, OneSourceGetsOneFirstPacketOfEachClassThrough) {
  reload({.sets4_per_cpu = 4'096, .ring_bytes = 64 << 10, .is_timeless = true});
  const auto begin_flow = [this](std::uint16_t from, std::uint16_t to) {
    ingress(PacketBuilder{}.eth().ipv4().tcp({.src_port = from, .dst_port = to, .flags = kTcpSyn}));
  };
  for (std::uint64_t i = 0; i <= (50 << 10) / (kRecordBytes + kRingHeadBytes); ++i)
    ingress(packet(7, 22, kTcpAck));
  EXPECT_EQ(program().counters().first_packets_withheld, 0u);
  for (std::uint16_t port = 1'000; port < 1'100; ++port) begin_flow(port, 22);
  EXPECT_EQ(program().counters().first_packets_withheld, 99u);
  begin_flow(1'000, 7070);
  EXPECT_EQ(program().counters().first_packets_withheld, 99u) << "another class";
}

TEST_F(RingShare, FirstPacketsAreNotWithheldWhileTheRingHasRoom) {
  reload({.sets4_per_cpu = 4'096, .ring_bytes = 1 << 20, .is_timeless = true});
  for (std::uint32_t i = 0; i < 1'000; ++i)
    ingress(PacketBuilder{}.eth().ipv4().tcp(
        {.src_port = static_cast<std::uint16_t>(1'000 + i), .dst_port = 22, .flags = kTcpSyn}));
  EXPECT_EQ(program().counters().first_packets_withheld, 0u);
  EXPECT_EQ(drained().packets.size(), 1'000u);
}

}  // namespace
}  // namespace nids
