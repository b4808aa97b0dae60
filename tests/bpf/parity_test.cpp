// SPDX-License-Identifier: Apache-2.0
// The program in the kernel, its native twin and the agent's decode must agree on every packet:
// counters after each one, and the records that go up field by field. NIDS_PARITY_PACKETS is the
// number of mutated packets in each test.
#include <cerrno>
#include <cstdlib>
#include <iostream>

#include "decode/decode.hpp"
#include "firstpass/first_pass.hpp"
#include "net/flow_key.h"
#include "support/bpf_run.hpp"
#include "support/commands_to_kernel.hpp"
#include "support/frame_mutator.hpp"

namespace nids {
namespace {

constexpr std::uint64_t kSeed = 0x1234'5678'9abc'def1;
// The clock of the live programs can't be told, and with it the victim that the kernel would
// choose: the tables begin anew before a set can fill up.
constexpr std::uint32_t kLiveSets = 1024;
constexpr std::uint64_t kPacketsATable = 512;
constexpr std::uint32_t kPacketTimeSets = 8;
constexpr std::uint32_t kRings = 3;
constexpr std::uint64_t kNow = 1'000'000'000;
constexpr std::size_t kHeaders = 200;
constexpr int kDifferencesShown = 10;

std::uint64_t packets_wanted() {
  const char* wanted = std::getenv("NIDS_PARITY_PACKETS");
  return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 200'000;
}

std::string hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    const auto value = std::to_integer<unsigned>(byte);
    text += "0123456789abcdef"[value >> 4];
    text += "0123456789abcdef"[value & 15];
  }
  return text;
}

std::uint16_t word(const Bytes& frame, std::size_t at) {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(frame[at]) << 8 |
                                    std::to_integer<unsigned>(frame[at + 1]));
}

template <class T>
bool same(const T& a, const T& b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

// What decode makes of a record is what the record says.
bool decodes_to_itself(const PacketRecord& record) {
  Packet packet;
  ExportedFlow flow;
  if (decode(record.raw, ClockOffset{}, packet, flow) != DecodeResult::kPacket) return false;
  nids_packet told = record.head.packet;
  for (std::uint16_t* offset : {&told.l3_offset, &told.l4_offset, &told.payload_offset})
    if (*offset > record.head.cap_len) *offset = 0;
  return same(packet.headers, told) && same(packet.detail, record.detail) &&
         same(packet.slot, record.head.slot) && packet.findings == record.head.findings &&
         packet.class_id == record.head.class_id && packet.other_class == record.head.other_class &&
         packet.reason == record.head.reason &&
         packet.from_opener == (record.head.from_opener == 1) &&
         std::ranges::equal(packet.bytes, record.bytes) &&
         packet.wire_len == record.head.wire_len && packet.frame_len == record.head.frame_len;
}

// A frame as the twin takes it; the kernel gets the same by other ways.
nids_twin_frame ethernet(const Bytes& frame) {
  const auto bytes = static_cast<std::uint32_t>(frame.size());
  return {.bytes = frame.data(),
          .captured_len = bytes,
          .wire_len = bytes,
          .time_ns = kNow,
          .is_ethernet = 1};
}

class Parity : public BpfTest {
 protected:
  // Every second port has a class, so that most flows go up; some are ambiguous.
  Parity() {
    for (std::size_t port = 0; port < 65'536; port += 2) {
      tables_.ports->tcp[port] = static_cast<std::uint8_t>(1 + port / 2 % 7);
      tables_.ports->udp[port | 1] = static_cast<std::uint8_t>(1 + port / 2 % 7);
    }
    tables_.classes[0].interest = NIDS_INTEREST_IDENTIFY;
    tables_.classes[0].identify_packets = 2;
  }

  void load_live(std::uint32_t features) {
    if (!(features & NIDS_FEATURE_UNCLASSIFIED)) tables_.classes[0].interest = NIDS_INTEREST_COUNT;
    start({.sets4_per_cpu = kLiveSets,
           .sets6_per_cpu = kLiveSets,
           .features = features,
           .rings = kRings,
           .sample_bytes = 100,
           .ifindex = 0,
           .hash_seed = kSeed,
           .is_timeless = true});
  }

  void load_packet_time() {
    start({.sets4_per_cpu = kPacketTimeSets,
           .sets6_per_cpu = kPacketTimeSets,
           .features = NIDS_FEATURES_ALL,
           .rings = kRings,
           .snap_bytes = 150,
           .sample_bytes = 100,
           .ifindex = 0,
           .hash_seed = kSeed,
           .is_packet_time = true});
  }

  // `agree` runs a frame through both and says whether they agree on it.
  template <class Agree>
  void run_all(const char* name, Agree agree) {
    if (IsSkipped() || HasFatalFailure()) return;
    for (const Bytes& frame : mutator_.originals()) judge(frame, agree(frame));
    for (std::uint64_t i = 0; i < packets_wanted() && differences_ < kDifferencesShown; ++i) {
      const Bytes frame = mutator_.next();
      judge(frame, agree(frame));
      if (!setup_.is_packet_time && i % kPacketsATable == 0) restart();
    }
    EXPECT_GT(records_compared_, compared_ / 20);
    std::cout << "parity: " << name << ": " << compared_ << " packets compared, "
              << records_compared_ << " records, " << left_out_ << " packets not taken, "
              << differences_ << " differences\n";
  }

  bool agree_after(const Result<std::uint32_t>& action, const nids_twin_frame& frame,
                   nids_direction direction) {
    if (!action) return left_out(action.error());
    ++compared_;
    of_kernel_.clear();
    of_twin_.clear();
    twin_->packet(frame);
    program().drain(of_kernel_);
    records_compared_ += of_kernel_.packets.size() + of_kernel_.flows.size();
    return same_counters(direction) && same_packets(direction) && same_flows();
  }

  // The outermost tag beside the frame for the kernel, in it for the twin.
  bool agree_on_tag(const Bytes& frame) {
    if (frame.size() < FrameMutator::kShortest + 4 ||
        (word(frame, 12) != kEtherVlan && word(frame, 12) != kEtherQinq))
      return true;
    Bytes bare = frame;
    bare.erase(bare.begin() + 12, bare.begin() + 16);
    return agree_after(
        program().egress(bare, {.tag_type = word(frame, 12), .tag_tci = word(frame, 14)}),
        ethernet(frame), NIDS_EGRESS);
  }

  // Frames as capture files have them: cut short, without an Ethernet header, at any time.
  bool agree_on_capture(const Bytes& frame) {
    nids_twin_frame told = ethernet(frame);
    told.zero_means_rest = 1;
    if (mutator_.below(4) == 0)
      told.captured_len = static_cast<std::uint32_t>(mutator_.below(frame.size() + 1));
    if (mutator_.below(4) == 0 && frame.size() >= FrameMutator::kShortest) {
      told.is_ethernet = 0;
      told.l3_offset = 14;
      told.ether_type = word(frame, 12);
    }
    now_ns_ += mutator_.below(256) == 0 ? mutator_.below(90'000'000'000) : mutator_.below(1000);
    told.time_ns = now_ns_;
    program().set_clock({.now_ns = told.time_ns,
                         .wire_len = told.wire_len,
                         .l3_offset = told.l3_offset,
                         .ether_type = told.ether_type,
                         .is_ethernet = told.is_ethernet});
    Bytes buffer(NIDS_CLOCK_LEAD);
    buffer.insert(buffer.end(), frame.begin(), frame.begin() + told.captured_len);
    return agree_after(program().ingress(buffer), told, NIDS_INGRESS) && agree_on_command();
  }

  FrameMutator& mutator() { return mutator_; }
  std::uint64_t compared() const { return compared_; }

  void restart() {
    program().clear_tables();
    restart_twin();
  }

 private:
  void start(const BpfSetup& setup) {
    setup_ = setup;
    load(setup, tables_);
    restart_twin();
    if (!IsSkipped() && !HasFatalFailure()) commands_.map(program());
  }

  void restart_twin() {
    twin_ =
        std::make_unique<FirstPass>(FirstPass::Setup{.slots = setup_.sets4_per_cpu * NIDS_WAYS,
                                                     .slots_ipv6 = setup_.sets6_per_cpu * NIDS_WAYS,
                                                     .features = setup_.features,
                                                     .snap_bytes = setup_.snap_bytes,
                                                     .sample_bytes = setup_.sample_bytes,
                                                     .rings = setup_.rings,
                                                     .hash_seed = setup_.hash_seed},
                                    tables_.classes, *tables_.ports, [this](auto record) {
                                      of_twin_.ring = twin_->twin().ring;
                                      of_twin_.take(record);
                                    });
  }

  void judge(const Bytes& frame, bool is_same) {
    if (is_same) return;
    ++differences_;
    ADD_FAILURE() << "packet " << compared_ << ": " << hex(frame);
    restart();
  }

  bool left_out(const Error& error) {
    ++left_out_;
    EXPECT_EQ(error.error_number, EINVAL) << error.message();
    return error.error_number == EINVAL;
  }

  // The agent's word on the flow of the last record, given to both.
  bool agree_on_command() {
    if (of_twin_.packets.empty() || mutator_.below(8) != 0) return true;
    const nids_packet_event& head = of_twin_.packets.back().head;
    if (!(head.packet.flags & NIDS_PACKET_IS_FLOW)) return true;
    FlowIdentity flow;
    nids_flow_key_of(&head.packet, &of_twin_.packets.back().detail, &flow.key, &flow.tunnel);
    const std::uint64_t stops = mutator_.below(4) == 0 ? mutator_.below(4) : 0;
    const auto word = static_cast<std::uint8_t>(mutator_.below(NIDS_INTEREST_KINDS) |
                                                stops * NIDS_COMMAND_STOP_LO);
    return commands_.give(flow, head.slot, word) ==
           twin_->command(flow.key, flow.tunnel, head.slot.set, word);
  }

  bool same_counters(nids_direction direction) {
    const nids_counters& kernel = program().counters_of(setup_.is_packet_time ? 0 : cpu());
    nids_counters twin = twin_->counters();
    if (direction == NIDS_EGRESS) std::swap(twin.seen[NIDS_INGRESS], twin.seen[NIDS_EGRESS]);
    if (same(kernel, twin)) return true;

    std::array<std::uint64_t, sizeof(kernel) / 8> a{};
    std::array<std::uint64_t, sizeof(twin) / 8> b{};
    std::memcpy(a.data(), &kernel, sizeof(kernel));
    std::memcpy(b.data(), &twin, sizeof(twin));
    for (std::size_t i = 0; i < a.size(); ++i)
      EXPECT_EQ(a[i], b[i]) << "nids_counters, byte " << i * 8;
    return false;
  }

  bool same_packets(nids_direction direction) {
    if (of_kernel_.packets.size() != of_twin_.packets.size()) return false;
    for (std::size_t i = 0; i < of_kernel_.packets.size(); ++i) {
      PacketRecord& kernel = of_kernel_.packets[i];
      const PacketRecord& twin = of_twin_.packets[i];
      if (kernel.head.event.direction != direction || !decodes_to_itself(kernel) ||
          !decodes_to_itself(twin))
        return false;
      kernel.head.event.direction = NIDS_INGRESS;
      if (!setup_.is_packet_time) kernel.head.event.ktime_ns = kNow;
      if (kernel.ring != twin.ring || !same(kernel.head, twin.head) ||
          !same(kernel.detail, twin.detail) || kernel.bytes != twin.bytes ||
          kernel.raw.size() != twin.raw.size())
        return false;
      if (nids_twin_findings(&twin.head.packet) != twin.head.findings) return false;
    }
    return true;
  }

  bool same_flows() {
    if (of_kernel_.flows.size() != of_twin_.flows.size()) return false;
    for (std::size_t i = 0; i < of_kernel_.flows.size(); ++i) {
      ExportRecord& kernel = of_kernel_.flows[i];
      const ExportRecord& twin = of_twin_.flows[i];
      if (!setup_.is_packet_time) {
        kernel.event.ktime_ns = kNow;
        kernel.now_ticks = twin.now_ticks;
        EXPECT_EQ(kernel.cpu, cpu());
        kernel.cpu = twin.cpu;
        kernel.flow.state.created_ticks = twin.flow.state.created_ticks;
        kernel.flow.state.last_ticks = twin.flow.state.last_ticks;
      }
      if (!same(kernel, twin)) return false;
    }
    return true;
  }

  ClassTables tables_{{.name = "whole"},
                      {.name = "deep", .interest = NIDS_INTEREST_INSPECT, .depth_bytes = 4000},
                      {.name = "shallow", .interest = NIDS_INTEREST_INSPECT, .depth_bytes = 100},
                      {.name = "counted", .interest = NIDS_INTEREST_COUNT},
                      {.name = "identified", .interest = NIDS_INTEREST_IDENTIFY},
                      {.name = "dull", .interest = NIDS_INTEREST_BYPASS},
                      {.name = "headers", .interest = NIDS_INTEREST_HEADERS}};
  BpfSetup setup_;
  std::unique_ptr<FirstPass> twin_;
  CommandsToKernel commands_;
  FrameMutator mutator_{1};
  RingRecords of_kernel_;
  RingRecords of_twin_;
  std::uint64_t now_ns_ = kNow;
  std::uint64_t compared_ = 0;
  std::uint64_t left_out_ = 0;
  std::uint64_t records_compared_ = 0;
  int differences_ = 0;
};

TEST_F(Parity, IngressAndTwinAgreeOnEveryPacket) {
  load_live(kDefaultFeatures);
  run_all("XDP", [this](const Bytes& frame) {
    return agree_after(program().ingress(frame), ethernet(frame), NIDS_INGRESS);
  });
}

TEST_F(Parity, HeadersBeyondTheFirstBufferAreTheSameHeaders) {
  load_live(NIDS_FEATURES_ALL);
  if (!IsSkipped() && !program().ingress(Bytes(100), 50))
    GTEST_SKIP() << "this kernel's TEST_RUN fills buffers itself";
  restart();
  run_all("XDP in two buffers", [this](const Bytes& frame) {
    if (frame.size() <= FrameMutator::kShortest) return true;
    const std::size_t range = std::min(frame.size() - FrameMutator::kShortest, kHeaders);
    const auto linear =
        static_cast<std::uint32_t>(FrameMutator::kShortest + mutator().below(range));
    return agree_after(program().ingress(frame, linear), ethernet(frame), NIDS_INGRESS);
  });
}

TEST_F(Parity, EgressAndTwinAgreeOnEveryPacket) {
  load_live(kDefaultFeatures);
  run_all("tc", [this](const Bytes& frame) {
    return agree_after(program().egress(frame), ethernet(frame), NIDS_EGRESS);
  });
}

TEST_F(Parity, IngressOfTcAndTwinAgreeOnEveryPacket) {
  load_live(kDefaultFeatures);
  run_all("tc, ingress", [this](const Bytes& frame) {
    return agree_after(program().ingress_tc(frame), ethernet(frame), NIDS_INGRESS);
  });
}

TEST_F(Parity, TagBesideTheFrameAndTagInItAreTheSamePacket) {
  load_live(NIDS_FEATURES_ALL);
  run_all("tc, VLAN tag beside the frame",
          [this](const Bytes& frame) { return agree_on_tag(frame); });
  EXPECT_GT(compared(), packets_wanted() / 50);
}

TEST_F(Parity, ReplaysOfTheProgramAndOfItsTwinAgreeAtAnyTime) {
  load_packet_time();
  run_all("XDP in packet time", [this](const Bytes& frame) { return agree_on_capture(frame); });
}

}  // namespace
}  // namespace nids
