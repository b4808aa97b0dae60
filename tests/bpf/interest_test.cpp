// SPDX-License-Identifier: Apache-2.0
// How much of a flow goes up: by its class, by the agent's word on it, and for what it did.
#include "firstpass/first_pass.hpp"
#include "net/flow_key.h"
#include "support/commands_to_kernel.hpp"
#include "support/first_pass_program.hpp"

namespace nids {
namespace {

constexpr std::uint16_t kIdentifiedPort = 8443;
constexpr std::uint8_t kXmas = 0x29;

class Interest : public FirstPassProgram {
 protected:
  void SetUp() override {
    FirstPassProgram::SetUp();
    if (!IsSkipped() && !HasFatalFailure()) commands_.map(program());
  }

  void reload(const BpfSetup& setup) {
    FirstPassProgram::reload(setup);
    if (!IsSkipped() && !HasFatalFailure()) commands_.map(program());
  }

  static PacketBuilder packet(const std::string& payload, std::uint8_t flags = kTcpAck,
                              std::uint16_t port = kIdentifiedPort) {
    return PacketBuilder{}.eth().ipv4().tcp({.dst_port = port, .flags = flags}).payload(payload);
  }

  // The agent's word on the flow of a packet; returns how many slots it reached.
  std::uint32_t tell(const PacketRecord& record, std::uint8_t word) {
    FlowIdentity flow;
    nids_flow_key_of(&record.head.packet, &record.detail, &flow.key, &flow.tunnel);
    return commands_.give(flow, record.head.slot, word);
  }

  nids_flow_state& only_slot() {
    nids_flow_state* found = nullptr;
    for (nids_flow4_set& set : program().flows4())
      for (nids_flow4& slot : set.way)
        if (slot.state.generation != 0) {
          EXPECT_EQ(found, nullptr) << "more than one slot is in use";
          found = &slot.state;
        }
    EXPECT_NE(found, nullptr);
    return *found;
  }

  CommandsToKernel commands_;
};

TEST_F(Interest, FirstPacketsWithPayloadGoUpToBeIdentifiedAndTheirFirstBytes) {
  reload({.sample_bytes = 100});
  ingress(packet("", kTcpSyn));
  for (int i = 0; i < 6; ++i) ingress(packet(std::string(200, 'x')));
  ingress(packet(""));
  ASSERT_EQ(drained().packets.size(), 4u) << "as many as the class says, none without payload";
  for (const PacketRecord& record : records_.packets) {
    EXPECT_EQ(record.head.reason, NIDS_REASON_IDENTIFY);
    EXPECT_EQ(record.head.class_id, kIdentified);
    EXPECT_EQ(record.head.cap_len, 100u);
    EXPECT_EQ(record.head.frame_len, 254u);
  }
  EXPECT_EQ(program().counters().classes[kIdentified].packets, 8u);
  expect_ledger();
}

TEST_F(Interest, CaptureOfAnIdentifiedFlowBeginsAtTheAgentsWord) {
  for (int i = 0; i < 6; ++i) ingress(packet("hello"));
  ASSERT_EQ(drained().packets.size(), 4u);
  EXPECT_EQ(tell(records_.packets[0], NIDS_INTEREST_CAPTURE), 1u);
  const Bytes whole = packet(std::string(3000, 'x')).bytes();
  ingress(whole);
  ingress(packet(""));
  ASSERT_EQ(drained().packets.size(), 2u);
  EXPECT_EQ(records_.packets[0].head.reason, NIDS_REASON_CAPTURE);
  EXPECT_EQ(records_.packets[0].bytes, whole);

  EXPECT_EQ(tell(records_.packets[0], NIDS_INTEREST_COUNT), 1u);
  ingress(packet("hello"));
  EXPECT_TRUE(drained().packets.empty());
  expect_ledger();
}

TEST_F(Interest, HeadersOfEveryPacketGoUpAndNoPayload) {
  constexpr std::uint16_t kPort = 7171;
  const auto datagram = [](std::size_t payload) {
    return PacketBuilder{}.eth().vlan(5).ipv6().udp({.dst_port = kPort}).payload_bytes(payload);
  };
  ingress(packet("", kTcpSyn, kPort));
  ingress(packet(std::string(1400, 'x'), kTcpAck, kPort));
  ingress(packet("y", kTcpAck, kPort));
  ingress(datagram(500));
  ASSERT_EQ(drained().packets.size(), 4u);
  const std::size_t wanted[] = {54, 54, 54, 66};
  const std::uint32_t on_wire[] = {54, 1454, 55, 566};
  for (std::size_t i = 0; i < 4; ++i) {
    const PacketRecord& record = records_.packets[i];
    EXPECT_EQ(record.head.reason, NIDS_REASON_HEADERS);
    EXPECT_EQ(record.head.class_id, kHeaders);
    EXPECT_EQ(record.bytes.size(), wanted[i]);
    EXPECT_EQ(record.head.packet.payload_offset, wanted[i]);
    EXPECT_EQ(record.head.frame_len, on_wire[i]);
  }
  const Bytes frame = datagram(500).bytes();
  EXPECT_EQ(records_.packets[3].bytes, Bytes(frame.begin(), frame.begin() + 66));
  expect_ledger();
}

TEST_F(Interest, HeadersAreNoMoreThanTheSnapAndWhereTheyCanNotBeReadAsMuchAsASample) {
  reload({.snap_bytes = 64, .sample_bytes = 100});
  ingress(PacketBuilder{}.eth().ipv6().tcp({.dst_port = 7171}));
  ASSERT_EQ(drained().packets.size(), 1u);
  EXPECT_EQ(records_.packets[0].bytes.size(), 64u) << "of 74";
  // A later fragment has no ports, so its headers have no end that is known.
  ingress(packet("hello"));
  ASSERT_EQ(drained().packets.size(), 1u);
  ingress(PacketBuilder{}.eth().ipv4({.fragment_offset_bytes = 1480}).payload_bytes(300));
  for (const PacketRecord& record : drained().packets) EXPECT_LE(record.bytes.size(), 100u);
}

TEST_F(Interest, HeadersAtTheAgentsWordOfAFlowOfNoClass) {
  const auto xmas = packet("", kXmas, 9);
  ingress(xmas);
  ASSERT_EQ(drained().packets.size(), 1u);
  EXPECT_EQ(tell(records_.packets[0], NIDS_INTEREST_HEADERS), 1u);
  ingress(packet(std::string(200, 'x'), kTcpAck, 9));
  ASSERT_EQ(drained().packets.size(), 1u);
  EXPECT_EQ(records_.packets[0].head.reason, NIDS_REASON_HEADERS);
  EXPECT_EQ(records_.packets[0].bytes.size(), 54u);
  reload({.features = kDefaultFeatures & ~NIDS_FEATURE_HEADERS});
  ingress(packet("x", kTcpAck, 7171));
  EXPECT_TRUE(drained().packets.empty()) << "left out";
}

TEST_F(Interest, StopEndsOneDirectionAndIsCounted) {
  const auto there = [](std::size_t payload) {
    return PacketBuilder{}.eth().ipv4().tcp({.dst_port = 22}).payload_bytes(payload);
  };
  const auto back = PacketBuilder{}
                        .eth()
                        .ipv4({.src = "10.0.0.2", .dst = "10.0.0.1"})
                        .tcp({.src_port = 22, .dst_port = 40'000})
                        .payload("hello");
  ingress(there(0));
  ASSERT_EQ(drained().packets.size(), 1u);
  const PacketRecord first = records_.packets[0];
  EXPECT_EQ(tell(first, NIDS_COMMAND_NONE | NIDS_COMMAND_STOP_LO), 1u);
  ingress(there(100));
  ingress(back);
  ASSERT_EQ(drained().packets.size(), 1u);
  EXPECT_EQ(records_.packets[0].head.from_opener, 0);
  EXPECT_EQ(program().counters().beyond_depth.packets, 1u);
  EXPECT_EQ(program().counters().beyond_depth.bytes, 154u);

  EXPECT_EQ(tell(first, NIDS_INTEREST_CAPTURE | NIDS_COMMAND_STOP_LO | NIDS_COMMAND_STOP_HI), 1u);
  ingress(there(100));
  ingress(back);
  ingress(packet("", kXmas, 22));
  ASSERT_EQ(drained().packets.size(), 1u) << "a sample of its finding alone";
  EXPECT_EQ(records_.packets[0].head.reason, NIDS_REASON_FINDING);
  EXPECT_EQ(program().counters().beyond_depth.packets, 4u);
  expect_ledger();
}

TEST_F(Interest, WordReachesTheSlotsOfAllCpusAndOfNoOtherFlow) {
  ingress(packet("hello"));
  {
    const OnOneCpu elsewhere(other_cpu());
    if (!elsewhere.is_there()) GTEST_SKIP() << "needs CPUs 0 and 1";
    ingress(packet("hello"));
  }
  ASSERT_EQ(drained().packets.size(), 2u);
  EXPECT_EQ(tell(records_.packets[0], NIDS_INTEREST_CAPTURE), 2u);
  PacketRecord other = records_.packets[0];
  other.head.packet.src_port ^= 1;
  EXPECT_EQ(tell(other, NIDS_INTEREST_CAPTURE), 0u);
  other = records_.packets[0];
  other.head.slot.set = 0xffffffff;
  EXPECT_EQ(tell(other, NIDS_INTEREST_CAPTURE), 0u);
}

TEST_F(Interest, CpusThatSeeARaisedFlowLaterDoAsTheAgentSaid) {
  struct {
    std::uint8_t word, reason;
    std::size_t bytes;
  } const cases[] = {{NIDS_INTEREST_CAPTURE, NIDS_REASON_CAPTURE, 254},
                     {NIDS_INTEREST_HEADERS, NIDS_REASON_HEADERS, 54}};
  for (const auto& one : cases) {
    reload({});
    const auto data = packet(std::string(200, 'x'), kTcpAck, 9);  // of no class
    ingress(data);
    ASSERT_TRUE(drained().packets.empty());
    ingress(packet("", kXmas, 9));
    ASSERT_EQ(drained().packets.size(), 1u);
    const PacketRecord xmas = records_.packets[0];
    EXPECT_EQ(tell(xmas, one.word), 1u);
    const OnOneCpu elsewhere(other_cpu());
    if (!elsewhere.is_there()) GTEST_SKIP() << "needs CPUs 0 and 1";
    ingress(data);
    ASSERT_EQ(drained().packets.size(), 1u);
    EXPECT_EQ(records_.packets[0].head.reason, one.reason);
    EXPECT_EQ(records_.packets[0].bytes.size(), one.bytes);
    // The slot's own word stands above it, and a new connection is another flow.
    EXPECT_EQ(tell(xmas, NIDS_INTEREST_COUNT), 2u);
    ingress(data);
    EXPECT_TRUE(drained().packets.empty());
    EXPECT_EQ(tell(xmas, one.word), 2u);
    ingress(packet("", kTcpFin | kTcpAck, 9));
    ingress(packet("", kTcpSyn, 9));
    drained();
    ingress(data);
    EXPECT_TRUE(drained().packets.empty());
    expect_ledger();
  }
}

TEST_F(Interest, WordOnAFlowOfIpv6IsObeyed) {
  const PacketBuilder frame =
      PacketBuilder{}.eth().vlan(7).ipv6().udp({.dst_port = kIdentifiedPort}).payload("hello");
  for (int i = 0; i < 6; ++i) ingress(frame);
  ASSERT_EQ(drained().packets.size(), 4u);
  EXPECT_EQ(tell(records_.packets[0], NIDS_INTEREST_CAPTURE), 1u);
  ingress(frame);
  EXPECT_EQ(drained().packets.size(), 1u);
}

TEST_F(Interest, WordOnAFlowThatEndedIsNotObeyedByTheNextInItsSlot) {
  ingress(packet("hello", kTcpSyn));
  ASSERT_EQ(drained().packets.size(), 1u);
  EXPECT_EQ(tell(records_.packets[0], NIDS_INTEREST_BYPASS), 1u);
  ingress(packet("", kTcpFin | kTcpAck));
  ingress(packet("hello", kTcpSyn));  // begins anew in the same slot
  ASSERT_EQ(drained().packets.size(), 1u);
  EXPECT_EQ(records_.packets[0].head.slot.generation, 2u);
  EXPECT_EQ(only_slot().command >> NIDS_COMMAND_BITS, 1u) << "the old word still stands there";

  // Nor is a word that comes late, with the generation that was.
  only_slot().command = 1u << NIDS_COMMAND_BITS | NIDS_INTEREST_CAPTURE;
  ingress(packet(""));
  EXPECT_TRUE(drained().packets.empty());
  expect_ledger();
}

TEST_F(Interest, WordIsNotObeyedWhereCommandsAreLeftOut) {
  reload({.features = NIDS_FEATURES_ALL & ~NIDS_FEATURE_COMMANDS});
  ingress(packet("hello"));
  ASSERT_EQ(drained().packets.size(), 1u);
  EXPECT_EQ(tell(records_.packets[0], NIDS_INTEREST_CAPTURE), 1u);
  ingress(packet(""));
  EXPECT_TRUE(drained().packets.empty());
}

TEST_F(Interest, BypassEndsSamplesTooAndNoCounting) {
  ingress(packet("hello"));
  ASSERT_EQ(drained().packets.size(), 1u);
  const PacketRecord first = records_.packets[0];
  ingress(packet("", kXmas));
  ASSERT_EQ(drained().packets.size(), 1u);
  EXPECT_EQ(records_.packets[0].head.reason, NIDS_REASON_FINDING);
  EXPECT_EQ(records_.packets[0].head.findings, 1u << NIDS_FINDING_XMAS);

  EXPECT_EQ(tell(first, NIDS_INTEREST_BYPASS), 1u);
  ingress(packet("", kXmas));
  ingress(packet("hello"));
  EXPECT_TRUE(drained().packets.empty());
  const nids_counters counters = program().counters();
  EXPECT_EQ(counters.findings[NIDS_FINDING_XMAS], 2u);
  EXPECT_EQ(counters.not_sampled.packets, 0u) << "it was not left out for its rate";
  EXPECT_EQ(counters.classes[kIdentified].packets, 4u);
  expect_ledger();
}

TEST_F(Interest, EachSenderHasOneSampleOfAKindAndTheRestIsCounted) {
  reload({.is_timeless = true});
  constexpr std::uint64_t kSent = 100, kSamples = 2;  // of each kind: one of each sender
  const auto send = [this](const char* source, std::uint8_t flags) {
    ingress(PacketBuilder{}.eth().ipv4({.src = source}).tcp({.dst_port = 9, .flags = flags}));
  };
  for (std::uint64_t i = 0; i < kSent; ++i) send(i % 2 == 0 ? "10.0.0.1" : "10.0.0.3", kXmas);
  for (std::uint64_t i = 0; i < kSent; ++i) send(i % 2 == 0 ? "10.0.0.1" : "10.0.0.3", 0);
  std::array<std::uint64_t, 2> came{};
  for (const PacketRecord& record : drained().packets) {
    EXPECT_EQ(record.head.reason, NIDS_REASON_FINDING);
    came[0] += record.head.findings == 1u << NIDS_FINDING_XMAS;
    came[1] += record.head.findings == 1u << NIDS_FINDING_NULL;
  }
  EXPECT_EQ(came[0], kSamples);
  EXPECT_EQ(came[1], kSamples);
  const nids_counters counters = program().counters();
  EXPECT_EQ(counters.findings[NIDS_FINDING_XMAS], kSent);
  EXPECT_EQ(counters.findings[NIDS_FINDING_NULL], kSent);
  EXPECT_EQ(counters.not_sampled.packets, 2 * (kSent - kSamples));
  EXPECT_EQ(counters.not_sampled.bytes, 2 * (kSent - kSamples) * 54);
  expect_ledger();
}

TEST_F(Interest, NoCpuSendsMoreSamplesOfAKindThanItsLimitForForgedSenders) {
  reload({.is_timeless = true});
  constexpr std::uint64_t kSent = 2000, kBudget = 256;
  for (std::uint64_t i = 0; i < kSent; ++i) {
    const std::string source = "172.16." + std::to_string(i / 250) + '.' + std::to_string(i % 250);
    ingress(PacketBuilder{}.eth().ipv4({.src = source}).tcp({.dst_port = 9, .flags = kXmas}));
  }
  EXPECT_EQ(drained().packets.size(), kBudget);
  EXPECT_EQ(program().counters().findings[NIDS_FINDING_XMAS], kSent);
  EXPECT_EQ(program().counters().not_sampled.packets, kSent - kBudget);
  expect_ledger();
}

}  // namespace
}  // namespace nids
