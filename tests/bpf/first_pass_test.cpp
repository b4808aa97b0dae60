// SPDX-License-Identifier: Apache-2.0
// What the program counts, in classes and flows. TEST_RUN takes no frame below 14 bytes, and at tc
// none that ends inside its IP header or exceeds a page: those are the native twin's to test.
#include <linux/bpf.h>

#include <cerrno>
#include <vector>

#include "support/first_pass_program.hpp"
#include "support/sample_packets.hpp"

namespace nids {
namespace {

TEST_F(FirstPassProgram, EveryFrameIsPassedOnWhateverItHolds) {
  std::vector<Bytes> frames;
  for (const HonestPacket& packet : honest_packets()) frames.push_back(packet.frame);
  for (const LyingPacket& packet : lying_packets()) frames.push_back(packet.frame);
  for (const Bytes& frame : frames) {
    EXPECT_EQ(ingress(frame), XDP_PASS);
    if (const Result<std::uint32_t> action = program().egress(frame))
      EXPECT_EQ(static_cast<int>(*action), kTcUnspec);
    else
      EXPECT_EQ(action.error().error_number, EINVAL);
  }
  expect_ledger();
}

TEST_F(FirstPassProgram, EachParseResultIsCountedOnceAPacket) {
  for (const LyingPacket& packet : lying_packets()) {
    SCOPED_TRACE(packet.name);
    program().clear_tables();
    ingress(packet.frame);
    EXPECT_EQ(program().counters().parse[packet.result], 1u);
  }
  for (const HonestPacket& packet : honest_packets()) {
    SCOPED_TRACE(packet.name);
    program().clear_tables();
    ingress(packet.frame);
    EXPECT_EQ(program().counters().parse[packet.on_wire.back().result], 1u);
    expect_ledger();
  }
}

TEST_F(FirstPassProgram, ShortFramesAreTruncatedAndStillSeen) {
  const Bytes whole = PacketBuilder{}.eth().ipv4().tcp().bytes();
  for (std::size_t length = 14; length < 34; ++length)
    EXPECT_EQ(ingress(std::span(whole).first(length)), XDP_PASS);
  const nids_counters counters = program().counters();
  EXPECT_EQ(counters.parse[NIDS_PARSE_TRUNCATED], 20u);
  EXPECT_EQ(counters.no_flow.packets, 20u);
  EXPECT_EQ(counters.seen[NIDS_INGRESS].packets, 20u);
}

TEST_F(FirstPassProgram, NetworksAndTransportsAreCounted) {
  ingress(PacketBuilder{}.eth().arp());
  ingress(PacketBuilder{}.eth().ipv4().tcp());
  ingress(PacketBuilder{}.eth().ipv4().udp());
  ingress(PacketBuilder{}.eth().ipv4().icmp());
  ingress(PacketBuilder{}.eth().ipv6().icmpv6());
  ingress(PacketBuilder{}.eth().ipv4({.fragment_offset_bytes = 8}).udp());
  egress(PacketBuilder{}.eth().ipv4().sctp());
  const nids_counters counters = program().counters();
  EXPECT_EQ(counters.network[NIDS_NETWORK_ARP], 1u);
  EXPECT_EQ(counters.network[NIDS_NETWORK_IPV4], 5u);
  EXPECT_EQ(counters.network[NIDS_NETWORK_IPV6], 1u);
  for (const nids_transport transport :
       {NIDS_TRANSPORT_TCP, NIDS_TRANSPORT_UDP, NIDS_TRANSPORT_ICMP, NIDS_TRANSPORT_ICMPV6,
        NIDS_TRANSPORT_FRAGMENT, NIDS_TRANSPORT_SCTP})
    EXPECT_EQ(counters.transport[transport], 1u) << transport;
  EXPECT_EQ(counters.seen[NIDS_INGRESS].packets, 6u);
  EXPECT_EQ(counters.seen[NIDS_EGRESS].packets, 1u);
  expect_ledger();
}

TEST_F(FirstPassProgram, LaterFragmentIsPassedAndNeverReadAsPorts) {
  const Bytes late =
      PacketBuilder{}.eth().ipv4({.fragment_offset_bytes = 1480}).tcp({.dst_port = 22}).bytes();
  EXPECT_EQ(ingress(late), XDP_PASS);
  EXPECT_EQ(program().counters().parse[NIDS_PARSE_LATER_FRAGMENT], 1u);
  EXPECT_EQ(program().counters().no_flow.packets, 1u);
  EXPECT_EQ(program().counters().classes[kSsh].packets, 0u);
  EXPECT_TRUE(drained().packets.empty());
}

TEST_F(FirstPassProgram, ClassesAreCountedAndOnlyThoseOfInterestGoUp) {
  flow_from(1, 22);
  flow_from(2, 25);
  flow_from(3, 80);
  const nids_counters counters = program().counters();
  EXPECT_EQ(counters.classes[kSsh].flows, 1u);
  EXPECT_EQ(counters.classes[kSsh].packets, 1u);
  EXPECT_EQ(counters.classes[kSsh].bytes, 54u);
  EXPECT_EQ(counters.classes[kCounted].packets, 1u);
  EXPECT_EQ(drained().packets.size(), 1u);
}

TEST_F(FirstPassProgram, PacketBeyondTheDepthIsCountedAndStaysBelow) {
  for (int i = 0; i < 3; ++i) flow_from(1, 7070);  // 54 bytes each, depth 100
  EXPECT_EQ(drained().packets.size(), 2u);
  EXPECT_EQ(program().counters().beyond_depth.packets, 1u);
  EXPECT_EQ(program().counters().beyond_depth.bytes, 54u);
}

TEST_F(FirstPassProgram, DirectionsOnDifferentCpusAreTwoSlotsInOneLedger) {
  const int other = cpu() == 0 ? 1 : 0;
  ingress(PacketBuilder{}.eth().ipv4().tcp({.dst_port = 22, .flags = kTcpSyn}));
  {
    const OnOneCpu elsewhere(other);
    if (sched_getcpu() != other) GTEST_SKIP() << "needs CPUs 0 and 1";
    ingress(PacketBuilder{}
                .eth()
                .ipv4({.src = "10.0.0.2", .dst = "10.0.0.1"})
                .tcp({.src_port = 22, .dst_port = 40'000, .flags = kTcpSyn | kTcpAck}));
  }
  EXPECT_EQ(program().counters_of(cpu()).live.packets, 1u);
  EXPECT_EQ(program().counters_of(other).live.packets, 1u);
  EXPECT_EQ(program().counters().classes[kSsh].packets, 2u);
  EXPECT_EQ(program().counters().classes[kSsh].flows, 1u);
  expect_ledger();
}

TEST_F(FirstPassProgram, SixtyFourSlotsHoldAThousandFlowsExactly) {
  reload({.sets4_per_cpu = 8});
  for (int i = 0; i < 1000; ++i) {
    ingress(PacketBuilder{}
                .eth()
                .ipv4({.src = "10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250)})
                .udp()
                .payload_bytes(static_cast<std::size_t>(i)));
    if (i % 100 == 0) expect_ledger();
  }
  const nids_counters counters = program().counters();
  EXPECT_EQ(counters.flows_created, 1000u);
  EXPECT_EQ(counters.flows_exported, 1000u - 64);
  EXPECT_EQ(counters.unaccounted.packets, 0u);
  expect_ledger();

  const nids_sum exported = drained().exported();
  EXPECT_EQ(exported.packets, counters.exported.packets);
  EXPECT_EQ(exported.bytes, counters.exported.bytes);
}

}  // namespace
}  // namespace nids
