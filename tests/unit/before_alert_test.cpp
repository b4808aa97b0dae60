// SPDX-License-Identifier: Apache-2.0
// What is kept of flows, from frames through the first pass to the store: before an alert, with it,
// and behind it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <set>

#include "agent/class_table.hpp"
#include "agent/inline_workers.hpp"
#include "decode/decode.hpp"
#include "firstpass/first_pass.hpp"
#include "source/capture_file.hpp"
#include "support/packet_builder.hpp"
#include "support/twin_run.hpp"

namespace nids {
namespace {

namespace fs = std::filesystem;

constexpr std::uint8_t kXmas = 0x29;

class BeforeAlert : public testing::Test {
 protected:
  BeforeAlert() {
    std::string pattern = testing::TempDir() + "before_alert.XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    config_.flow.unclassified = NIDS_INTEREST_INSPECT;
  }
  ~BeforeAlert() override {
    worker_.reset();
    fs::remove_all(directory_);
  }

  void start() {
    const int fd = ::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto store = Store::open(fd, directory_, {{0, {.name = "v0", .description = ""}}},
                             {.min_free_share = 0});
    ::close(fd);
    ASSERT_TRUE(store);
    Sinks sinks;
    sinks.store.emplace(std::move(*store));
    sinks.on_alert = [this](const Alert&) { ++alerts_; };
    const Pipeline::Steer steer = [this](std::uint32_t, const FlowIdentity& flow,
                                         nids_slot_address slot, std::uint8_t word) {
      words_.push_back(word);
      return first_pass_->command(flow.key, flow.tunnel, slot.set, word);
    };
    worker_ = std::make_unique<InlineWorkers>(config_, std::map<std::uint32_t, std::string>{},
                                              std::move(sinks), Selection{}, steer);
    worker_->outputs().watch(0, counters_);
    first_pass_ = std::make_unique<FirstPass>(
        FirstPass::Setup{.slots = 64, .slots_ipv6 = 64, .features = abi_features(config_)},
        abi_classes(config_), *abi_ports(config_), [this](auto record) { take(record); });
    worker_->worker().watch(tables_of(*first_pass_), counters_);
  }

  void take(std::span<const std::byte> record) {
    Packet packet;
    ExportedFlow flow;
    if (decode(record, {}, packet, flow) == DecodeResult::kPacket) {
      came_up_.packets += 1;
      came_up_.bytes += packet.bytes.size();
    }
    worker_->record(record, counters_);
  }

  void send(const PacketBuilder& builder) {
    const Bytes frame = builder.bytes();
    const auto length = static_cast<std::uint32_t>(frame.size());
    first_pass_->packet({.bytes = frame.data(),
                         .captured_len = length,
                         .wire_len = length,
                         .time_ns = now_ns_,
                         .is_ethernet = 1});
    expect_conservation();
  }

  // Each packet that came up is in one place, at any moment.
  void expect_conservation() {
    const auto& c = counters_;
    const auto sum = [&](auto field) {
      return c.retained.*field + c.not_kept_by_policy.*field + c.not_kept_by_error.*field +
             c.not_kept_by_overload.*field + c.held.*field;
    };
    EXPECT_EQ(sum(&nids_sum::packets), came_up_.packets);
    EXPECT_EQ(sum(&nids_sum::bytes), came_up_.bytes);
  }

  static PacketBuilder there(std::uint16_t port, std::size_t payload,
                             std::uint8_t flags = kTcpAck) {
    return PacketBuilder{}
        .eth()
        .ipv4({.src = "10.0.0.1", .dst = "10.0.0.2"})
        .tcp({.src_port = 40'000, .dst_port = port, .flags = flags})
        .payload_bytes(payload);
  }
  static PacketBuilder back(std::uint16_t port, std::size_t payload) {
    return PacketBuilder{}
        .eth()
        .ipv4({.src = "10.0.0.2", .dst = "10.0.0.1"})
        .tcp({.src_port = port, .dst_port = 40'000})
        .payload_bytes(payload);
  }

  std::vector<Bytes> kept() {
    worker_->outputs().finish({});
    std::set<fs::path> segments;  // their names are in the order of their packets
    for (const auto& entry : fs::directory_iterator(directory_))
      if (entry.path().extension() == ".pcapng") segments.insert(entry.path());
    std::vector<Bytes> frames;
    for (const fs::path& segment : segments) {
      auto file = CaptureFile::open(segment, [] { return Result<void>(); });
      EXPECT_TRUE(file);
      for (auto frame = file->next(); frame && *frame; frame = file->next())
        frames.emplace_back((*frame)->bytes.begin(), (*frame)->bytes.end());
    }
    return frames;
  }

  void scan() {
    worker_->worker().scan({.now_ticks = static_cast<std::uint32_t>(now_ns_ / 1'000'000),
                            .tick_ns = 1'000'000,
                            .now = {now_ns_}});
  }

  std::string directory_;
  Config config_ = default_config();
  std::unique_ptr<FirstPass> first_pass_;
  std::unique_ptr<InlineWorkers> worker_;
  nids_agent_counters counters_{};
  nids_sum came_up_{};
  std::vector<std::uint8_t> words_;
  int alerts_ = 0;
  std::uint64_t now_ns_ = 1'000 * kSecond_ns;
};

TEST_F(BeforeAlert, WhatCameBeforeAnAlertIsKeptBeforeItAndOnce) {
  start();
  const std::vector<PacketBuilder> session = {there(9999, 0, kTcpSyn), back(9999, 0),
                                              there(9999, 100), back(9999, 1200)};
  std::vector<Bytes> sent;
  for (const PacketBuilder& one : session) {
    send(one);
    send(there(8888, 10));  // of another flow
    sent.push_back(one.bytes());
  }
  EXPECT_TRUE(kept().empty());
  EXPECT_EQ(counters_.held.packets, 8u);
  for (const PacketBuilder& one : {there(9999, 0, kXmas), there(9999, 50), back(9999, 1400)}) {
    send(one);
    sent.push_back(one.bytes());
  }
  EXPECT_EQ(kept(), sent);
  EXPECT_EQ(counters_.held.packets, 4u);
  EXPECT_EQ(alerts_, 1);
}

TEST_F(BeforeAlert, AnAlertThatIsSuppressedKeepsItsFlowToo) {
  start();
  send(there(9999, 0, kXmas));
  ASSERT_EQ(alerts_, 1);
  const auto other = [](std::uint8_t flags) {
    return PacketBuilder{}.eth().ipv4().tcp({.src_port = 40'001, .dst_port = 9999, .flags = flags});
  };
  send(other(kTcpAck));
  EXPECT_EQ(kept().size(), 1u);
  send(other(kXmas));
  EXPECT_EQ(counters_.alerts_suppressed, 1u);
  send(other(kTcpAck));
  EXPECT_EQ(kept().size(), 4u);
}

TEST_F(BeforeAlert, WhatNoAlertCameForIsNotKeptByPolicy) {
  start();
  send(there(9999, 10));
  now_ns_ += 29 * kSecond_ns;
  scan();
  EXPECT_EQ(counters_.held.packets, 1u);
  now_ns_ += kSecond_ns;
  scan();
  EXPECT_EQ(counters_.held.packets, 0u);
  EXPECT_EQ(counters_.not_kept_by_policy.packets, 1u);
  send(there(9999, 10));
  worker_->end({.now_ticks = static_cast<std::uint32_t>(now_ns_ / 1'000'000),
                .tick_ns = 1'000'000,
                .now = {now_ns_}});
  EXPECT_EQ(counters_.held.packets, 0u);
  EXPECT_EQ(counters_.not_kept_by_policy.packets, 2u);
  expect_conservation();
}

TEST_F(BeforeAlert, WhatAnAgentThatDiedHeldIsCountedByTheNext) {
  counters_.held = {3, 300};
  came_up_ = {3, 300};
  start();
  EXPECT_EQ(counters_.held.packets, 0u);
  EXPECT_EQ(counters_.not_kept_by_policy.packets, 3u);
  expect_conservation();
}

TEST_F(BeforeAlert, AFlowThatIsOnlyCountedComesUpFromItsAlertOnUpToTheDepth) {
  config_.flow.unclassified = NIDS_INTEREST_COUNT;
  config_.retain.severity_2 = 3000;
  start();
  send(there(9999, 1000));
  EXPECT_EQ(came_up_.packets, 0u);
  send(there(9999, 0, kXmas));
  for (int i = 0; i < 10; ++i) send(there(9999, 1000));
  send(back(9999, 10));
  EXPECT_EQ(kept().size(), 1u + 3u + 1u) << "54 bytes, then 1,054 each, until 3,000 came up";
  EXPECT_EQ(words_, (std::vector<std::uint8_t>{NIDS_INTEREST_CAPTURE,
                                               NIDS_INTEREST_CAPTURE | NIDS_COMMAND_STOP_LO}));
  EXPECT_EQ(came_up_.packets, 5u) << "what is not wanted is not copied";
  EXPECT_EQ(first_pass_->counters().beyond_depth.packets, 7u) << "but counted";
}

TEST_F(BeforeAlert, AFlowOfAnyProtocolIsRaisedToItsHeaders) {
  config_.flow.unclassified = NIDS_INTEREST_COUNT;
  config_.retain.severity_2 = config_.retain.severity_3 = Config::Retain::kKeptHeaders;
  start();
  const auto udp = [](bool is_bad) {
    const auto options = is_bad ? std::vector<std::uint8_t>{0x83, 7, 4, 10, 0, 0, 9, 0}
                                : std::vector<std::uint8_t>{};
    return PacketBuilder{}
        .eth()
        .ipv4({.options = options})
        .udp({.src_port = 5, .dst_port = 7777})
        .payload_bytes(300);
  };
  send(udp(true));
  ASSERT_EQ(alerts_, 1);
  send(udp(false));
  const auto frames = kept();
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[1].size(), 42u);
  EXPECT_EQ(words_, std::vector<std::uint8_t>{NIDS_INTEREST_HEADERS});
}

TEST_F(BeforeAlert, AClassThatIsOnlyCountedIsNotFlaggedWhereItsFlowIsRaised) {
  config_.classes[0].interest = NIDS_INTEREST_COUNT;  // ssh
  start();
  send(there(22, 0, kXmas));
  send(there(22, 100));
  EXPECT_EQ(kept().size(), 2u);
  EXPECT_EQ(alerts_, 1);
}

TEST_F(BeforeAlert, CaptureEndsAtTheDepthOfAnyFlow) {
  config_.classes[0].interest = NIDS_INTEREST_CAPTURE;  // ssh
  config_.retain.flow_depth_bytes = 2048;
  start();
  for (int i = 0; i < 10; ++i) send(there(22, 970));
  EXPECT_EQ(kept().size(), 2u);
  EXPECT_EQ(came_up_.packets, 2u);
  EXPECT_EQ(words_, std::vector<std::uint8_t>{NIDS_COMMAND_NONE | NIDS_COMMAND_STOP_LO});
  EXPECT_EQ(first_pass_->counters().beyond_depth.packets, 8u);
}

TEST_F(BeforeAlert, EachPacketIsInOnePlaceWhateverComes) {
  for (const std::uint32_t seed : {1u, 2u, 3u}) {
    std::mt19937 random(seed);
    static constexpr nids_interest kUnclassified[] = {NIDS_INTEREST_INSPECT, NIDS_INTEREST_IDENTIFY,
                                                      NIDS_INTEREST_CAPTURE};
    config_.flow.unclassified = kUnclassified[seed % 3];
    config_.classes[1].interest = NIDS_INTEREST_IDENTIFY;  // telnet
    config_.classes[0].depth_bytes = 3000;
    config_.retain.severity_2 = 5000;
    config_.retain.severity_3 = Config::Retain::kKeptHeaders;
    config_.retain.flow_depth_bytes = 8000;
    config_.retain.hold_budget_bytes = 20'000;
    config_.retain.hold_seconds = 2;
    counters_ = {};
    came_up_ = {};
    now_ns_ = 1'000 * kSecond_ns;
    start();
    for (int i = 0; i < 3000 && !HasFailure(); ++i) {
      static constexpr std::uint16_t kPorts[] = {22, 23, 7000, 7001, 7002, 7003};
      static constexpr std::uint8_t kFlags[] = {kTcpAck, kTcpAck, kTcpAck, kTcpSyn,
                                                kTcpAck | kTcpFin};
      const std::uint16_t port = kPorts[random() % std::size(kPorts)];
      const std::uint8_t flags = random() % 60 == 0 ? kXmas : kFlags[random() % std::size(kFlags)];
      send(random() % 3 == 0 ? back(port, random() % 1400) : there(port, random() % 1400, flags));
      now_ns_ += random() % (kSecond_ns / 20);
      if (random() % 200 == 0) now_ns_ -= random() % (10 * kSecond_ns);
      if (random() % 50 == 0) scan();
      if (random() % 30 == 0) worker_->flush({});
      expect_conservation();
    }
    EXPECT_GT(counters_.retained.packets, 100u) << seed;
    EXPECT_GT(counters_.not_kept_by_policy.packets, 10u) << seed;
  }
}

}  // namespace
}  // namespace nids
