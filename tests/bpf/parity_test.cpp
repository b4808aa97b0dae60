// SPDX-License-Identifier: Apache-2.0
// The program in the kernel and its native twin must agree on every packet: counters after each
// one, and the records that go up field by field.
#include <algorithm>
#include <cerrno>
#include <random>

#include "firstpass/first_pass.hpp"
#include "support/bpf_run.hpp"
#include "support/packet_builder.hpp"
#include "support/sample_packets.hpp"

namespace nids {
namespace {

constexpr std::uint64_t kSeed = 0x1234'5678'9abc'def1;
constexpr std::uint32_t kSetsPerCpu = 1024;
// Clocks differ, and with them the victim that each would choose: the tables begin anew before a
// set can fill up.
constexpr int kPacketsATable = 512;
constexpr int kMutations = 200'000;
constexpr std::size_t kShortest = 14;  // what TEST_RUN takes
constexpr std::size_t kHeaders = 200;
constexpr std::uint64_t kNow = 1'000'000'000;

std::string hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    const auto value = std::to_integer<unsigned>(byte);
    text += "0123456789abcdef"[value >> 4];
    text += "0123456789abcdef"[value & 15];
  }
  return text;
}

// Honest and lying packets, changed in a few places: the same sequence for the same seed.
class Mutator {
 public:
  explicit Mutator(std::uint32_t seed) : random_(seed) {
    for (HonestPacket& packet : honest_packets()) frames_.push_back(std::move(packet.frame));
    for (LyingPacket& packet : lying_packets()) frames_.push_back(std::move(packet.frame));
  }

  const std::vector<Bytes>& originals() const { return frames_; }

  Bytes next() {
    Bytes frame = frames_[below(frames_.size())];
    for (std::size_t changes = 1 + below(3); changes > 0; --changes) change(frame);
    if (frame.size() < kShortest) frame.resize(kShortest);
    return frame;
  }

 private:
  std::size_t below(std::size_t limit) { return random_() % limit; }
  std::byte any_byte() { return static_cast<std::byte>(random_()); }

  void change(Bytes& frame) {
    if (frame.empty()) return frame.resize(kShortest);
    // The headers stand in front: most changes fall there.
    const std::size_t at =
        below(below(4) != 0 ? std::min<std::size_t>(frame.size(), 80) : frame.size());
    switch (below(8)) {
      case 0:
        frame[at] = any_byte();
        break;
      case 1:
        frame[at] ^= static_cast<std::byte>(1u << below(8));
        break;
      case 2:
        set_word(frame, at);
        break;
      case 3:
        frame.resize(below(frame.size() + 1));
        break;
      case 4:
        for (std::size_t more = below(64); more > 0; --more) frame.push_back(any_byte());
        break;
      case 5:
        insert_tag(frame);
        break;
      case 6:
        std::swap(frame[at], frame[below(frame.size())]);
        break;
      default:
        frame[at] = static_cast<std::byte>(kInteresting[below(kInteresting.size())]);
    }
  }

  // A 16-bit field near the frame's own length, or at a limit.
  void set_word(Bytes& frame, std::size_t at) {
    if (at + 2 > frame.size()) return;
    const std::array<std::size_t, 5> values{0, 0xffff, frame.size() - at, frame.size() - 14,
                                            frame.size() + below(5) - 2};
    const std::size_t value = values[below(values.size())];
    frame[at] = static_cast<std::byte>(value >> 8);
    frame[at + 1] = static_cast<std::byte>(value);
  }

  void insert_tag(Bytes& frame) {
    if (frame.size() < kShortest) return;
    const std::array<std::byte, 4> tag{std::byte{0x81}, std::byte{0}, any_byte(), any_byte()};
    frame.insert(frame.begin() + 12, tag.begin(), tag.end());
  }

  static constexpr std::array kInteresting{0x00, 0x01, 0x04, 0x06, 0x08, 0x11, 0x2b, 0x2c, 0x33,
                                           0x3a, 0x3b, 0x3c, 0x44, 0x45, 0x46, 0x4f, 0x50, 0x60,
                                           0x7f, 0x80, 0x81, 0x84, 0x86, 0x87, 0xf0, 0xff};
  std::vector<Bytes> frames_;
  std::mt19937 random_;
};

class Parity : public BpfTest {
 protected:
  Parity() {
    // Every second port has a class, so that most flows go up; some are ambiguous.
    for (std::size_t port = 0; port < 65'536; port += 2) {
      tables_.ports->tcp[port] = static_cast<std::uint8_t>(1 + port / 2 % 5);
      tables_.ports->udp[port | 1] = static_cast<std::uint8_t>(1 + port / 2 % 5);
    }
    restart_twin();
  }

  void SetUp() override {
    load({.sets_per_cpu = kSetsPerCpu, .ifindex = 0, .hash_seed = kSeed}, tables_);
  }

  void restart_twin() {
    twin_ = std::make_unique<FirstPass>(
        FirstPass::Setup{.slots = kSetsPerCpu * NIDS_WAYS, .hash_seed = kSeed}, tables_.classes,
        *tables_.ports, [this](auto record) { of_twin_.take(record); });
  }

  // Whether both agree; says where they do not. A frame that TEST_RUN refuses is left out.
  bool agree_on_ingress(const Bytes& frame) {
    const Result<std::uint32_t> action = program().ingress(frame);
    return !action ? left_out(action.error()) : compare(frame, NIDS_INGRESS, frame.size());
  }

  bool agree_on_egress(const Bytes& frame) {
    const Result<std::uint32_t> action = program().egress(frame);
    return !action ? left_out(action.error()) : compare(frame, NIDS_EGRESS, frame.size());
  }

  // Headers beyond the first buffer for the kernel, beyond the snap for the twin.
  bool agree_on_ingress_of_two_buffers(const Bytes& frame) {
    if (frame.size() <= kShortest) return true;
    const std::size_t range = std::min<std::size_t>(frame.size() - kShortest, kHeaders);
    const auto linear = static_cast<std::uint32_t>(kShortest + random_() % range);
    const Result<std::uint32_t> action = program().ingress(frame, linear);
    return !action ? left_out(action.error()) : compare(frame, NIDS_INGRESS, linear);
  }

  // The outermost tag beside the frame for the kernel, in it for the twin.
  bool agree_on_egress_with_tag(const Bytes& frame) {
    const auto word = [&frame](std::size_t at) {
      return static_cast<std::uint16_t>(std::to_integer<unsigned>(frame[at]) << 8 |
                                        std::to_integer<unsigned>(frame[at + 1]));
    };
    if (frame.size() < kShortest + 4 || (word(12) != kEtherVlan && word(12) != kEtherQinq))
      return true;
    Bytes bare = frame;
    bare.erase(bare.begin() + 12, bare.begin() + 16);
    const Result<std::uint32_t> action =
        program().egress(bare, {.tag_type = word(12), .tag_tci = word(14)});
    return !action ? left_out(action.error()) : compare(frame, NIDS_EGRESS, frame.size());
  }

  template <class Agree>
  void run_all(Agree agree) {
    Mutator mutator(1);
    for (const Bytes& frame : mutator.originals()) ASSERT_TRUE(agree(frame)) << hex(frame);
    for (int i = 0; i < kMutations; ++i) {
      const Bytes frame = mutator.next();
      ASSERT_TRUE(agree(frame)) << "mutation " << i << ": " << hex(frame);
      if (i % kPacketsATable == 0) {
        program().clear_tables();
        restart_twin();
      }
    }
    EXPECT_GT(compared_, 0);
    EXPECT_GT(records_compared_, 0u);
    RecordProperty("compared", compared_);
    RecordProperty("left_out", left_out_);
    RecordProperty("records", static_cast<int>(records_compared_));
  }

  bool takes_two_buffers() {
    const Bytes frame(100);
    return static_cast<bool>(program().ingress(frame, 50));
  }
  int compared() const { return compared_; }

 private:
  bool left_out(const Error& error) {
    ++left_out_;
    EXPECT_EQ(error.error_number, EINVAL) << error.message();
    return error.error_number == EINVAL;
  }

  // `readable`: bytes of the frame that the twin is given.
  bool compare(const Bytes& frame, nids_direction direction, std::size_t readable) {
    ++compared_;
    of_kernel_.clear();
    of_twin_.clear();
    twin_->packet({.bytes = frame.data(),
                   .captured_len = static_cast<std::uint32_t>(readable),
                   .wire_len = static_cast<std::uint32_t>(frame.size()),
                   .time_ns = kNow,
                   .is_ethernet = 1});
    program().drain(of_kernel_);
    records_compared_ += of_kernel_.packets.size() + of_kernel_.flows.size();
    return same_counters(direction, readable == frame.size()) &&
           same_packets(direction, readable) && same_flows();
  }

  bool same_counters(nids_direction direction, bool is_whole) {
    nids_counters kernel = program().counters_of(cpu());
    nids_counters twin = twin_->counters();
    if (direction == NIDS_EGRESS) std::swap(twin.seen[NIDS_INGRESS], twin.seen[NIDS_EGRESS]);
    // Room for what was captured, of which the twin has less.
    if (!is_whole) kernel.ring_offered.bytes = twin.ring_offered.bytes;
    if (std::memcmp(&kernel, &twin, sizeof(kernel)) == 0) return true;

    std::array<std::uint64_t, sizeof(kernel) / 8> a{};
    std::array<std::uint64_t, sizeof(twin) / 8> b{};
    std::memcpy(a.data(), &kernel, sizeof(kernel));
    std::memcpy(b.data(), &twin, sizeof(twin));
    for (std::size_t i = 0; i < a.size(); ++i)
      EXPECT_EQ(a[i], b[i]) << "nids_counters, byte " << i * 8;
    return false;
  }

  bool same_packets(nids_direction direction, std::size_t readable) {
    if (of_kernel_.packets.size() != of_twin_.packets.size()) return false;
    for (std::size_t i = 0; i < of_kernel_.packets.size(); ++i) {
      PacketRecord& kernel = of_kernel_.packets[i];
      PacketRecord& twin = of_twin_.packets[i];
      EXPECT_EQ(kernel.head.event.direction, direction);
      EXPECT_EQ(kernel.head.cap_len, kernel.head.frame_len);
      kernel.head.event = twin.head.event;
      kernel.head.cap_len = static_cast<std::uint32_t>(readable);
      kernel.bytes.resize(readable);
      if (std::memcmp(&kernel.head, &twin.head, sizeof(kernel.head)) != 0 ||
          kernel.bytes != twin.bytes)
        return false;
    }
    return true;
  }

  bool same_flows() {
    if (of_kernel_.flows.size() != of_twin_.flows.size()) return false;
    for (std::size_t i = 0; i < of_kernel_.flows.size(); ++i) {
      nids_flow_slot& kernel = of_kernel_.flows[i].slot;
      const nids_flow_slot& twin = of_twin_.flows[i].slot;
      kernel.created_ns = twin.created_ns;
      kernel.last_ns = twin.last_ns;
      if (std::memcmp(&kernel, &twin, sizeof(kernel)) != 0) return false;
    }
    return true;
  }

  ClassTables tables_{{.name = "all"},
                      {.name = "deep", .depth_bytes = 4000},
                      {.name = "shallow", .depth_bytes = 100},
                      {.name = "counted", .interest = NIDS_INTEREST_COUNT},
                      {.name = "whole"}};
  std::unique_ptr<FirstPass> twin_;
  std::mt19937 random_{2};
  RingRecords of_kernel_;
  RingRecords of_twin_;
  int compared_ = 0;
  int left_out_ = 0;
  std::size_t records_compared_ = 0;
};

TEST_F(Parity, IngressAndTwinAgreeOnEveryPacket) {
  run_all([this](const Bytes& frame) { return agree_on_ingress(frame); });
}

TEST_F(Parity, HeadersBeyondTheFirstBufferAreUnavailableToBoth) {
  if (!takes_two_buffers()) GTEST_SKIP() << "this kernel's TEST_RUN fills buffers itself";
  program().clear_tables();
  run_all([this](const Bytes& frame) { return agree_on_ingress_of_two_buffers(frame); });
}

TEST_F(Parity, EgressAndTwinAgreeOnEveryPacket) {
  run_all([this](const Bytes& frame) { return agree_on_egress(frame); });
}

TEST_F(Parity, TagBesideTheFrameAndTagInItAreTheSamePacket) {
  run_all([this](const Bytes& frame) { return agree_on_egress_with_tag(frame); });
  EXPECT_GT(compared(), kMutations / 50);
}

}  // namespace
}  // namespace nids
