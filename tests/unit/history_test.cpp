// SPDX-License-Identifier: Apache-2.0
// The order of a flow's first events, which all CPUs share in a cell, as it goes up with the flow.
#include <gtest/gtest.h>

#include <string>

#include "support/twin_run.hpp"

namespace nids {
namespace {

// Zeek's letters; here upper case is the end with the smaller address.
std::string letters(std::uint64_t history) {
  std::string text;
  for (; history != 0; history >>= NIDS_HISTORY_EVENT_BITS)
    text += "?SHADFRshadfr???"[history & 0xf];
  return text;
}

class History : public testing::Test {
 protected:
  // One set and one cell a way, so that other flows are soon in either.
  static constexpr std::uint32_t kSlots = NIDS_WAYS;

  History() { restart(); }

  void restart() {
    twin_ =
        std::make_unique<TwinRun>(FirstPass::Setup{.slots = kSlots, .slots_ipv6 = kSlots}, tables_);
  }

  void tcp(bool from_lo, std::uint8_t flags, std::size_t payload = 0, std::uint16_t port = 5000) {
    twin_->send(PacketBuilder{}
                    .eth()
                    .ipv4({.src = from_lo ? "10.0.0.1" : "10.0.0.2",
                           .dst = from_lo ? "10.0.0.2" : "10.0.0.1"})
                    .tcp({.src_port = from_lo ? port : std::uint16_t{80},
                          .dst_port = from_lo ? std::uint16_t{80} : port,
                          .flags = flags})
                    .payload_bytes(payload));
  }
  void there(std::uint8_t flags, std::size_t payload = 0) { tcp(true, flags, payload); }
  void back(std::uint8_t flags, std::size_t payload = 0) { tcp(false, flags, payload); }

  // Of the flow until now, which a SYN after silence ends.
  std::string told() {
    twin_->wait(120 * kSecond_ns);
    twin_->flows.clear();
    there(kTcpSyn);
    return twin_->flows.empty() ? "no flow" : letters(twin_->flows.back().history);
  }

  ClassTables tables_{};
  std::unique_ptr<TwinRun> twin_;
};

TEST_F(History, OfAnOrdinaryConnectionHasZeeksLetters) {
  there(kTcpSyn);
  back(kTcpSyn | kTcpAck);
  there(kTcpAck);
  there(kTcpAck | kTcpPsh, 100);
  back(kTcpAck);
  back(kTcpAck | kTcpPsh, 1000);
  there(kTcpAck);
  there(kTcpAck | kTcpFin);
  back(kTcpAck | kTcpFin);
  EXPECT_EQ(told(), "ShADadFf");
}

TEST_F(History, HasEachEventOnceWhereItCameFirst) {
  for (int i = 0; i < 5; ++i) {
    there(kTcpSyn);
    back(kTcpRst | kTcpAck);
  }
  EXPECT_EQ(told(), "Sr");
}

TEST_F(History, OfOnePacketWithManyEventsIsInTheOrderOfTheLetters) {
  there(kTcpSyn | kTcpFin | kTcpRst, 10);
  back(kTcpAck | kTcpFin, 10);
  EXPECT_EQ(told(), "SDFRdf");
}

TEST_F(History, NeverHasMoreThanItsTwelveEvents) {
  for (int round = 0; round < 3; ++round)
    for (const bool from_lo : {true, false}) {
      // No SYN alone may come late: it would begin the flow anew.
      if (round == 0 && from_lo) tcp(from_lo, kTcpSyn);
      tcp(from_lo, kTcpSyn | kTcpAck);
      tcp(from_lo, kTcpAck);
      tcp(from_lo, kTcpAck, 10);
      if (round == 0) continue;
      tcp(from_lo, kTcpFin);
      tcp(from_lo, kTcpRst);
    }
  const std::string history = told();
  EXPECT_LE(history.size(), std::size_t{NIDS_HISTORY_EVENTS});
  EXPECT_EQ(history.substr(0, 7), "SHADhad");
}

TEST_F(History, OfDatagramsIsWhoSentData) {
  const auto udp = [this](const char* src, const char* dst, std::size_t payload) {
    twin_->send(PacketBuilder{}
                    .eth()
                    .ipv4({.src = src, .dst = dst})
                    .udp({.src_port = 7, .dst_port = 7})
                    .payload_bytes(payload));
  };
  udp("10.0.0.1", "10.0.0.2", 0);
  udp("10.0.0.2", "10.0.0.1", 10);
  udp("10.0.0.1", "10.0.0.2", 10);
  twin_->wait(61 * kSecond_ns);
  udp("10.0.0.1", "10.0.0.2", 10);
  ASSERT_EQ(twin_->flows.size(), 1u);
  EXPECT_EQ(letters(twin_->flows[0].history), "dD");
}

TEST_F(History, OfANewFlowOfTheSameEndsBeginsAnew) {
  there(kTcpSyn);
  back(kTcpSyn | kTcpAck);
  there(kTcpRst);
  EXPECT_EQ(told(), "ShR");
  there(kTcpAck, 10);
  EXPECT_EQ(told(), "SD");
}

TEST_F(History, IsForgottenWhenAnotherFlowTakesTheCellAndNeverMixed) {
  bool has_met = false;
  for (std::uint16_t other = 6000; other < 6200 && !has_met; ++other) {
    restart();
    there(kTcpSyn);
    tcp(true, kTcpSyn, 0, other);
    has_met = twin_->counters().cells_replaced != 0;
    there(kTcpAck, 10);
    EXPECT_EQ(told(), has_met ? "" : "SD") << other;
  }
  EXPECT_TRUE(has_met);
}

TEST_F(History, GoesUpWithAFlowThatIsPushedOut) {
  there(kTcpSyn);
  back(kTcpRst);
  for (std::uint16_t i = 0; i < kSlots && twin_->flows.empty(); ++i) {
    twin_->wait(kMillisecond_ns);
    tcp(true, kTcpSyn, 0, static_cast<std::uint16_t>(7000 + i));
  }
  ASSERT_EQ(twin_->flows.size(), 1u);
  EXPECT_EQ(twin_->flows[0].cause, NIDS_EXPORT_EVICTED);
  // Its cell may be another's by now; then nothing is told, and never something wrong.
  const std::string told = letters(twin_->flows[0].history);
  EXPECT_TRUE(told == "Sr" || told.empty()) << told;
}

}  // namespace
}  // namespace nids
