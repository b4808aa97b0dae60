// SPDX-License-Identifier: Apache-2.0
// No packet and no byte is lost to the ledger while two CPUs run packets at once: tables far too
// small, rings that nobody empties, flows whose directions or senders change CPUs.
#include <array>
#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "nids/abi/shard.h"
#include "support/first_pass_program.hpp"

namespace nids {
namespace {

std::uint32_t ipv4_word(const std::uint8_t (&address)[16]) {
  std::uint32_t word = 0;
  std::memcpy(&word, address, sizeof(word));
  return word;
}

class Conservation : public FirstPassProgram {
 protected:
  void SetUp() override {
    FirstPassProgram::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    const OnOneCpu other(other_cpu());
    if (!other.is_there()) GTEST_SKIP() << "needs CPUs 0 and 1";
  }

  // `send` on two CPUs at once, in threads of their own; `meanwhile` here until both are done.
  template <class Send, class Meanwhile>
  void on_two_cpus(Send send, Meanwhile meanwhile) {
    std::atomic<int> running = 2;
    const auto work = [&](int cpu) {
      const OnOneCpu pinned(cpu);
      send(cpu);
      --running;
    };
    std::thread first(work, cpu()), second(work, other_cpu());
    while (running != 0) {
      meanwhile();
      std::this_thread::yield();
    }
    first.join();
    second.join();
  }
  template <class Send>
  void on_two_cpus(Send send) {
    on_two_cpus(send, [] {});
  }

  // Counted by the sender: what the ledger must have seen.
  void send(const Bytes& frame, bool is_egress = false) {
    const auto action = is_egress ? program().egress(frame) : program().ingress(frame);
    ASSERT_TRUE(action) << action.error().message();
    sent_packets_ += 1;
    sent_bytes_ += frame.size();
  }

  void drain_more() { program().drain(records_); }

  // To the packet and to the byte, with everything drained.
  void expect_all_conserved() {
    expect_flows_conserved();
    expect_classes_conserved(program().counters());
  }
  void expect_flows_conserved() {
    drain_more();
    const nids_counters c = program().counters();
    EXPECT_EQ(c.seen[NIDS_INGRESS].packets + c.seen[NIDS_EGRESS].packets, sent_packets_);
    EXPECT_EQ(c.seen[NIDS_INGRESS].bytes + c.seen[NIDS_EGRESS].bytes, sent_bytes_);
    expect_ledger();
    const nids_sum exported = records_.exported();
    EXPECT_EQ(exported.packets, c.exported.packets);
    EXPECT_EQ(exported.bytes, c.exported.bytes);
    expect_ring_conserved(c);
  }

  // Packets that overflow each table: the tunnel, the sender and the possible originator change
  // with every packet. Chains of headers are as long as the parser reads.
  Bytes hostile_frame(std::uint32_t number) {
    const std::string host =
        std::to_string(number / 250 % 250) + '.' + std::to_string(number % 250);
    PacketBuilder builder;
    builder.eth();
    switch (number % 4) {
      case 0:
        builder.ipv4({.src = "192.0." + host}).udp({.dst_port = 4789}).vxlan({.vni = number}).eth();
        return builder.ipv4().tcp({.dst_port = 22}).bytes();
      case 1: {
        constexpr std::uint8_t kFlags[] = {kTcpSyn, kTcpSyn | kTcpAck, kTcpRst, kTcpFin, kTcpAck};
        const bool is_back = number / 4 % 2 == 0;
        builder.ipv4(
            {.src = is_back ? "10.0.0.2" : "10.0.0.1", .dst = is_back ? "10.0.0.1" : "10.0.0.2"});
        return builder
            .tcp({.src_port = static_cast<std::uint16_t>(is_back ? 7070 : 22),
                  .dst_port = static_cast<std::uint16_t>(is_back ? 22 : 7070),
                  .flags = kFlags[number / 8 % std::size(kFlags)]})
            .bytes();
      }
      case 2:
        builder.ipv6({.src = "2001:db8:" + std::to_string(number % 9999) + "::1"});
        for (int i = 0; i < 180; ++i) builder.extension(kProtoDestination);
        return builder.udp({.dst_port = 9}).bytes();
      default:
        return builder.ipv4({.src = "172.16." + host}).tcp({.dst_port = 9, .flags = 0}).bytes();
    }
  }

  // Random flows of both versions of IP, every class, from either end.
  Bytes frame_of_flow(std::uint32_t flow, std::size_t payload, bool is_reply) {
    constexpr std::uint16_t kPorts[] = {22, 7070, 25, 8443, 9};
    const std::uint16_t port = kPorts[flow % std::size(kPorts)];
    const std::string client = std::to_string(flow % 250), net = std::to_string(flow / 250);
    const std::uint16_t from = is_reply ? port : 40'000, to = is_reply ? 40'000 : port;
    PacketBuilder builder;
    if (flow % 2 == 0) {
      const std::string a = "10." + net + ".1." + client, b = "10.9.9.9";
      builder.eth().ipv4({.src = is_reply ? b : a, .dst = is_reply ? a : b});
    } else {
      const std::string a = "2001:db8:" + net + "::" + client, b = "2001:db8::9";
      builder.eth().ipv6({.src = is_reply ? b : a, .dst = is_reply ? a : b});
    }
    return builder.tcp({.src_port = from, .dst_port = to}).payload_bytes(payload).bytes();
  }

  std::vector<Bytes> frames_of_flows(std::uint32_t flows) {
    std::vector<Bytes> frames;
    for (std::uint32_t flow = 0; flow < flows; ++flow)
      for (const bool is_reply : {false, true})
        frames.push_back(frame_of_flow(flow, flow % 300, is_reply));
    return frames;
  }

  std::atomic<std::uint64_t> sent_packets_ = 0;
  std::atomic<std::uint64_t> sent_bytes_ = 0;

 private:
  void expect_ring_conserved(const nids_counters& c) {
    nids_sum lost{};
    for (const nids_sum& of_reason : c.ring_lost) {
      lost.packets += of_reason.packets;
      lost.bytes += of_reason.bytes;
    }
    EXPECT_EQ(c.ring_offered.packets, records_.taken + lost.packets + c.copy_failed.packets);
    EXPECT_EQ(c.ring_offered.bytes, records_.taken_bytes + lost.bytes + c.copy_failed.bytes);
  }

  // What is wanted whole of a class came up or was lost, and each packet lost has a class; a flow
  // whose export finds no room stays where it is.
  void expect_classes_conserved(const nids_counters& c) {
    std::array<std::uint64_t, NIDS_CLASS_MAX> came{};
    for (const PacketRecord& record : records_.packets)
      came[record.head.class_id] += record.head.reason == NIDS_REASON_CAPTURE;
    std::uint64_t lost_by_class = 0, lost_by_reason = 0;
    for (const nids_class_sum& sum : c.classes) lost_by_class += sum.lost.packets;
    for (int reason = 0; reason < NIDS_REASON_FLOW_EXPORT; ++reason)
      lost_by_reason += c.ring_lost[reason].packets;
    EXPECT_EQ(lost_by_class, lost_by_reason);
    EXPECT_EQ(came[kSsh] + c.ring_lost[NIDS_REASON_CAPTURE].packets, c.classes[kSsh].packets);
  }
};

TEST_F(Conservation, HoldsIfTunnelSenderAndOriginatorChangeWithEachPacket) {
  reload({.sets4_per_cpu = 8, .sets6_per_cpu = 8});
  std::vector<Bytes> frames;
  for (std::uint32_t number = 0; number < 4'000; ++number) frames.push_back(hostile_frame(number));
  on_two_cpus(
      [&](int) {
        for (int round = 0; round < 5; ++round)
          for (const Bytes& frame : frames) send(frame);
      },
      [&] { drain_more(); });
  expect_flows_conserved();
  EXPECT_GT(program().counters().exported.packets, 0u);
  EXPECT_EQ(program().counters().parse[NIDS_PARSE_OK], sent_packets_);
}

TEST_F(Conservation, TablesOf64SlotsUnderTenTimesAsManyFlows) {
  reload({.sets4_per_cpu = 8, .sets6_per_cpu = 8, .features = NIDS_FEATURES_ALL});
  const std::vector<Bytes> frames = frames_of_flows(1280);  // 640 of each version of IP
  on_two_cpus(
      [&](int cpu) {
        for (std::size_t i = 0; i < 30'000; ++i)
          send(frames[(i * 7 + static_cast<std::size_t>(cpu)) % frames.size()], i % 3 == 0);
      },
      [this] { drain_more(); });
  expect_all_conserved();
  EXPECT_GT(program().counters().flows_exported, 10'000u);
}

TEST_F(Conservation, RingThatNobodyEmptiesWhileTablesOverflow) {
  reload({.sets4_per_cpu = 8, .sets6_per_cpu = 8, .ring_bytes = 64 << 10});
  const std::vector<Bytes> frames = frames_of_flows(1280);
  const auto send_all = [&](int cpu) {
    for (std::size_t i = 0; i < 100'000; ++i)
      send(frames[(i * 7 + static_cast<std::size_t>(cpu)) % frames.size()], i % 3 == 0);
  };
  on_two_cpus(send_all);
  const nids_counters full = program().counters();
  EXPECT_GT(full.unaccounted.packets, 0u);
  EXPECT_GT(full.ring_lost[NIDS_REASON_CAPTURE].packets, 0u);
  EXPECT_GT(full.ring_lost[NIDS_REASON_FLOW_EXPORT].packets, 0u);
  expect_all_conserved();

  // With room in the ring again, what comes is accounted again.
  const std::uint64_t exported = program().counters().flows_exported;
  for (const Bytes& frame : frames) {
    send(frame);
    drain_more();
  }
  EXPECT_GT(program().counters().flows_exported, exported);
  EXPECT_EQ(program().counters().unaccounted.packets, full.unaccounted.packets);
  expect_all_conserved();
}

TEST_F(Conservation, DirectionsOnDifferentCpusAreOneFlowOfOneClass) {
  reload({.sets4_per_cpu = 2048, .ring_bytes = 8 << 20});
  constexpr int kFlows = 2000;
  const auto packet = [](int flow, bool is_reply, std::uint8_t flags) {
    const std::string a = "10.1." + std::to_string(flow / 250) + "." + std::to_string(flow % 250);
    const auto port = [&](bool is_service) {
      return static_cast<std::uint16_t>(is_service ? 22 : 7070);
    };
    return PacketBuilder{}
        .eth()
        .ipv4({.src = is_reply ? "10.9.9.9" : a, .dst = is_reply ? a : "10.9.9.9"})
        .tcp({.src_port = port(is_reply), .dst_port = port(!is_reply), .flags = flags})
        .bytes();
  };
  // The port of the opener has a class too: only SYN and SYN-ACK tell that it is not meant.
  on_two_cpus(
      [&](int cpu) {
        const bool is_reply = cpu != this->cpu();
        for (int flow = 0; flow < kFlows; ++flow) {
          send(packet(flow, is_reply, is_reply ? kTcpSyn | kTcpAck : kTcpSyn));
          send(packet(flow, is_reply, kTcpAck));
        }
      },
      [this] { drain_more(); });
  expect_all_conserved();
  const nids_counters counters = program().counters();
  EXPECT_EQ(counters.classes[kSsh].flows, kFlows + 0u);
  EXPECT_EQ(counters.classes[kSsh].packets, 4u * kFlows);
  EXPECT_EQ(counters.classes[kShallow].packets, 0u);
  EXPECT_EQ(counters.flows_created, 2u * kFlows);
  EXPECT_EQ(records_.packets.size(), 4u * kFlows);
  for (const PacketRecord& record : records_.packets)
    EXPECT_EQ(record.head.from_opener, record.head.packet.dst_port == 22);
}

TEST_F(Conservation, SenderThatChangesCpusMidFlowStaysInItsFlow) {
  reload({.ring_bytes = 8 << 20});
  const auto packet = [](bool is_reply, std::uint8_t flags) {
    return PacketBuilder{}
        .eth()
        .ipv4(
            {.src = is_reply ? "10.9.9.9" : "10.1.0.1", .dst = is_reply ? "10.1.0.1" : "10.9.9.9"})
        .tcp({.src_port = static_cast<std::uint16_t>(is_reply ? 22 : 7070),
              .dst_port = static_cast<std::uint16_t>(is_reply ? 7070 : 22),
              .flags = flags})
        .payload("x")
        .bytes();
  };
  send(packet(false, kTcpSyn));
  for (int i = 0; i < 200; ++i) {
    const OnOneCpu somewhere(i % 2 == 0 ? other_cpu() : cpu());
    for (int j = 0; j < 10; ++j) send(packet(j % 2 == 0, kTcpAck));
  }
  expect_all_conserved();
  const nids_counters counters = program().counters();
  EXPECT_EQ(counters.classes[kSsh].flows, 1u);
  EXPECT_EQ(counters.classes[kSsh].packets, 2001u);
  EXPECT_EQ(counters.classes[kShallow].packets, 0u) << "its ports alone tell another class";
  EXPECT_EQ(counters.flows_created, 2u) << "a slot on each CPU";
  for (const PacketRecord& record : records_.packets)
    EXPECT_EQ(record.head.from_opener, record.head.packet.dst_port == 22);
}

TEST_F(Conservation, EveryRecordOfAFlowIsInOneRingAndInOrder) {
  constexpr std::size_t kRings = 3;
  reload({.sets4_per_cpu = 8, .rings = kRings, .ring_bytes = 4 << 20});
  constexpr std::uint32_t kFlows = 300;  // of each CPU: the tables overflow
  on_two_cpus([&](int cpu) {
    for (std::uint32_t round = 1; round <= 20; ++round)
      for (std::uint32_t flow = 0; flow < kFlows; ++flow)
        send(PacketBuilder{}
                 .eth()
                 .ipv4({.src = "10." + std::to_string(50 + cpu) + "." + std::to_string(flow / 250) +
                               "." + std::to_string(flow % 250)})
                 .tcp({.dst_port = 22, .seq = round})
                 .bytes());
  });
  std::map<std::uint32_t, std::size_t> ring_of_flow;  // by the sender's address
  std::size_t rings_in_use = 0;
  for (std::size_t ring = 0; ring < kRings; ++ring) {
    RingRecords of_ring;
    std::map<std::uint32_t, std::uint32_t> round_of_flow;
    program().drain(ring, of_ring);
    for (const PacketRecord& record : of_ring.packets) {
      const std::uint32_t flow = ipv4_word(record.head.packet.src);
      EXPECT_EQ(ring_of_flow.emplace(flow, ring).first->second, ring);
      const auto round = std::to_integer<std::uint32_t>(record.bytes.at(41));  // the last of seq
      EXPECT_EQ(round, ++round_of_flow[flow]);
    }
    for (const nids_flow_event& event : of_ring.flows) {
      const auto lo = ring_of_flow.find(ipv4_word(event.flow.key.lo_addr));
      const auto found =
          lo != ring_of_flow.end() ? lo : ring_of_flow.find(ipv4_word(event.flow.key.hi_addr));
      ASSERT_NE(found, ring_of_flow.end());
      EXPECT_EQ(found->second, ring);
    }
    rings_in_use += !of_ring.packets.empty();
    EXPECT_FALSE(of_ring.flows.empty());
    records_.taken += of_ring.taken;
    records_.taken_bytes += of_ring.taken_bytes;
    records_.flows.insert(records_.flows.end(), of_ring.flows.begin(), of_ring.flows.end());
    records_.packets.insert(records_.packets.end(), of_ring.packets.begin(), of_ring.packets.end());
  }
  EXPECT_EQ(rings_in_use, kRings);
  EXPECT_EQ(ring_of_flow.size(), 2 * kFlows);
  EXPECT_EQ(records_.packets.size(), 2u * 20 * kFlows);
  expect_all_conserved();
}

// Each worker owns the range of sets of its ring, in both tables.
TEST_F(Conservation, HoldsWithAnyNumberOfRingsAndEachRingHasItsRangeOfSets) {
  const std::vector<Bytes> frames = frames_of_flows(1280);
  for (const std::uint32_t rings : {1u, 2u, 4u}) {
    SCOPED_TRACE(rings);
    constexpr std::uint32_t kSets4 = 8, kSets6 = 16;
    reload({.sets4_per_cpu = kSets4, .sets6_per_cpu = kSets6, .rings = rings});
    records_.clear();
    sent_packets_ = sent_bytes_ = 0;
    on_two_cpus(
        [&](int cpu) {
          for (std::size_t i = 0; i < 10'000; ++i)
            send(frames[(i * 7 + static_cast<std::size_t>(cpu)) % frames.size()], i % 3 == 0);
        },
        [this] { drain_more(); });
    expect_all_conserved();
    std::set<std::size_t> rings_of_packets, rings_of_flows;
    const auto expect_owned = [&](std::size_t ring, std::uint32_t set, std::uint32_t sets) {
      const auto number = static_cast<std::uint32_t>(ring);
      EXPECT_GE(set, nids_first_set_of_ring(number, sets, rings));
      EXPECT_LT(set, nids_first_set_of_ring(number + 1, sets, rings));
    };
    for (const PacketRecord& record : records_.packets) {
      const bool is_ipv4 = record.head.packet.ip_version == 4;
      expect_owned(record.ring, record.head.slot.set, is_ipv4 ? kSets4 : kSets6);
      rings_of_packets.insert(record.ring);
    }
    for (const ExportRecord& record : records_.flows) {
      expect_owned(record.ring, record.set, record.flow.key.ip_version == 4 ? kSets4 : kSets6);
      rings_of_flows.insert(record.ring);
    }
    EXPECT_EQ(rings_of_packets.size(), rings);
    EXPECT_EQ(rings_of_flows.size(), rings);
  }
}

TEST_F(Conservation, CountersReadWhilePacketsRunAlwaysBalance) {
  reload({.sets4_per_cpu = 8, .sets6_per_cpu = 8, .ring_bytes = 64 << 10});
  const std::vector<Bytes> frames = frames_of_flows(1280);
  const Maps maps = program().maps();
  int whole = 0, torn = 0;
  std::atomic<bool> is_done = false;
  std::thread sender([&] {
    const OnOneCpu pinned(other_cpu());
    for (std::size_t i = 0; i < 200'000; ++i) send(frames[i % frames.size()]);
    is_done = true;
  });
  while (!is_done) {
    const auto reading = maps.read();
    ASSERT_TRUE(reading);
    // Where the host takes the sender's CPU away in the middle of a packet, there is no moment to
    // be had, and the reading says so.
    if (reading->counters.started != reading->counters.finished) {
      ++torn;
      continue;
    }
    expect_balance(reading->counters);
    ++whole;
  }
  sender.join();
  EXPECT_GT(whole, 10);
  EXPECT_LT(torn, 1 + whole / 100);
  expect_all_conserved();
}

}  // namespace
}  // namespace nids
