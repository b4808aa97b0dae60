// SPDX-License-Identifier: Apache-2.0
#include "analyse/host/port_scan.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "analyse/host/correlator.hpp"
#include "analyse/host/host_event_table.hpp"
#include "nids/abi/flow.h"

namespace nids {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000, kStart = 1'000 * kSecond;

HostKey key(std::uint32_t source, std::uint8_t destination = 1, std::uint8_t l4_proto = 6) {
  HostKey key;
  key.ip_version = 4;
  key.l4_proto = l4_proto;
  std::memcpy(key.source, &source, sizeof(source));
  key.destination[0] = destination;
  return key;
}

HostEvent failed(const HostKey& key, std::uint16_t port, std::uint64_t time_ns = kStart) {
  HostEvent event{.key = key, .started = 1, .refused = 1};
  event.failed_ports.add(port);
  event.first = event.last = {time_ns};
  return event;
}

class PortScanTest : public ::testing::Test {
 protected:
  void event(HostEvent event, std::uint64_t now_ns = kStart) {
    scan_.on_event(event, {now_ns}, alerts_);
  }
  void ports(std::uint16_t first, std::uint16_t last, const HostKey& of = key(7),
             std::uint64_t now_ns = kStart) {
    for (std::uint32_t port = first; port <= last; ++port)
      event(failed(of, static_cast<std::uint16_t>(port), now_ns), now_ns);
  }

  PortScan scan_{{.ports = 50, .window = std::chrono::seconds(60), .suspects = 4, .others = 8}};
  std::vector<Alert> alerts_;
};

TEST_F(PortScanTest, TheFiftiethPortIsReportedAndNoLaterOne) {
  ports(1, 49);
  EXPECT_TRUE(alerts_.empty());
  ports(50, 300);
  ASSERT_EQ(alerts_.size(), 1u);
  EXPECT_EQ(alerts_[0].signature_id.sid, 3001u);
  EXPECT_EQ(alerts_[0].kind, AlertKind::kHost);
  EXPECT_EQ(alerts_[0].ends.client[0], 7);
  EXPECT_EQ(alerts_[0].ends.server[0], 1);
  EXPECT_NE(alerts_[0].observed.find("50 TCP ports"), std::string::npos) << alerts_[0].observed;
}

TEST_F(PortScanTest, OnePortOftenIsNone) {
  for (int i = 0; i < 1000; ++i) ports(80, 80);
  EXPECT_TRUE(alerts_.empty());
}

TEST_F(PortScanTest, ManyPortsThatAnswerAreNone) {
  for (std::uint16_t port = 1; port < 500; ++port) {
    HostEvent event{.key = key(7), .started = 1, .answered = 1};
    this->event(event);
  }
  EXPECT_TRUE(alerts_.empty());
}

TEST_F(PortScanTest, AnswersThatCameLateDoNotCount) {
  ports(1, 40);
  HostEvent late;
  late.key = key(7);
  late.answered = 300;
  for (std::uint16_t port = 1; port <= 20; ++port) late.late_ports.add(port);
  event(late);
  ports(41, 69);
  EXPECT_TRUE(alerts_.empty());
  ports(70, 70);
  EXPECT_EQ(alerts_.size(), 1u) << "however many connections to a port were answered late";
}

TEST_F(PortScanTest, UdpIsLeftToAnother) {
  ports(1, 200, key(7, 1, 17));
  EXPECT_TRUE(alerts_.empty());
}

TEST_F(PortScanTest, AfterAPauseItIsANewEpisode) {
  ports(1, 60);
  ports(61, 100, key(7), kStart + 59 * kSecond);
  EXPECT_EQ(alerts_.size(), 1u);
  ports(1, 49, key(7), kStart + 120 * kSecond);
  EXPECT_EQ(alerts_.size(), 1u) << "the ports before do not count";
  ports(50, 50, key(7), kStart + 120 * kSecond);
  EXPECT_EQ(alerts_.size(), 2u);
}

TEST_F(PortScanTest, TheTimesOfFlowsDecideAndNotWhenTheyWereJudged) {
  for (std::uint16_t port = 1; port <= 50; ++port) {
    event(failed(key(7), port, kStart + port * 45 * kSecond), kStart + (port + 1) * 60 * kSecond);
    scan_.on_tick({kStart + port * 45 * kSecond + 30 * kSecond}, alerts_);
  }
  EXPECT_EQ(alerts_.size(), 1u);
}

TEST_F(PortScanTest, AnOuterAddressOfTheSourceMakesNoOtherPair) {
  for (std::uint16_t port = 1; port <= 50; ++port) {
    HostKey one = key(7);
    one.tunnel.kind = NIDS_TUNNEL_VXLAN;
    one.tunnel.client[3] = static_cast<std::uint8_t>(port);
    ports(port, port, one);
  }
  EXPECT_EQ(alerts_.size(), 1u);
}

TEST_F(PortScanTest, TimeThatWentBackEndsNothingAndLeaksNothing) {
  ports(1, 30, key(7), kStart);
  ports(31, 50, key(7), kStart - 10 * kSecond);
  EXPECT_EQ(alerts_.size(), 1u);
}

TEST_F(PortScanTest, ManyWithOnePortEachDoNotDisplaceAScan) {
  ports(1, 30);
  for (std::uint32_t source = 100; source < 10'100; ++source) ports(80, 80, key(source));
  EXPECT_EQ(scan_.evictions(), 10'000u - 8);
  ports(31, 50);
  EXPECT_EQ(alerts_.size(), 1u);
}

TEST_F(PortScanTest, SuspectsAreBoundedToo) {
  for (std::uint32_t source = 1; source <= 100; ++source) ports(1, 10, key(source));
  EXPECT_EQ(scan_.evictions(), 96u);
}

TEST_F(PortScanTest, ForgetsWhatIsOver) {
  for (std::uint32_t source = 1; source <= 8; ++source) ports(1, 1, key(source));
  scan_.on_tick({kStart + 121 * kSecond}, alerts_);
  for (std::uint32_t source = 11; source <= 18; ++source)
    ports(1, 1, key(source), kStart + 121 * kSecond);
  EXPECT_EQ(scan_.evictions(), 0u);
}

// Whichever worker sends which event, and in which order, the alerts are the same.
std::vector<std::string> alerts_of(const std::vector<std::vector<HostEvent>>& ticks,
                                   std::size_t workers, std::mt19937& random, bool has_thread) {
  std::vector<std::unique_ptr<HostAnalyser>> analysers;
  analysers.push_back(std::make_unique<PortScan>(PortScan::Limits{}));
  Correlator correlator(std::move(analysers), workers, {.batches = ticks.size() + 1});
  EXPECT_EQ(has_thread && correlator.start_thread(), has_thread);
  std::vector<std::vector<HostBatch>> batches(workers);
  for (std::size_t tick = 0; tick < ticks.size(); ++tick) {
    std::vector<HostEventTable> tables(workers, HostEventTable({}));
    std::vector<HostEvent> events = ticks[tick];
    std::ranges::shuffle(events, random);
    for (HostEvent& event : events) tables[random() % workers].add(std::move(event));
    for (std::size_t worker = 0; worker < workers; ++worker)
      batches[worker].push_back({tick, {kStart + tick * kSecond / 10}, tables[worker].take()});
  }
  std::vector<std::size_t> next(workers);
  for (std::size_t left = workers * ticks.size(); left > 0;) {
    const std::size_t worker = random() % workers;
    if (next[worker] == ticks.size()) continue;
    EXPECT_TRUE(correlator.offer(worker, batches[worker][next[worker]++]));
    --left;
  }
  correlator.finish();
  std::vector<std::string> texts;
  for (const Alert& alert : correlator.take_alerts())
    texts.push_back(std::to_string(alert.ends.client[0]) + " " + alert.observed + " " +
                    std::to_string(alert.time.ns));
  return texts;
}

TEST(Correlator, AlertsDoNotDependOnOrderThreadsOrWorkers) {
  std::mt19937 random(7);
  std::vector<std::vector<HostEvent>> ticks(20);
  for (std::size_t tick = 0; tick < ticks.size(); ++tick)
    for (std::uint32_t source = 1; source <= 40; ++source)
      for (std::uint32_t i = 0; i < source % 7; ++i)
        ticks[tick].push_back(failed(key(source), static_cast<std::uint16_t>(tick * 10 + i),
                                     kStart + tick * kSecond / 10 + i));
  const auto expected = alerts_of(ticks, 1, random, false);
  ASSERT_GT(expected.size(), 5u);
  for (int turn = 0; turn < 20; ++turn) {
    EXPECT_EQ(alerts_of(ticks, 1, random, turn % 2 == 0), expected);
    EXPECT_EQ(alerts_of(ticks, 4, random, turn % 2 == 1), expected);
  }
}

TEST(Correlator, AFullQueueLeavesTheBatchToItsWorker) {
  Correlator correlator({}, 2, {.batches = 2});
  for (std::uint64_t tick = 1; tick <= 2; ++tick) {
    HostBatch batch{.tick = tick, .now = {}, .events = {failed(key(1), 80)}};
    ASSERT_TRUE(correlator.offer(0, batch));
    EXPECT_TRUE(batch.events.empty());
  }
  HostBatch third{.tick = 3, .now = {}, .events = {failed(key(1), 80)}};
  EXPECT_FALSE(correlator.offer(0, third)) << "the other worker has given nothing";
  EXPECT_EQ(third.events.size(), 1u);
  HostBatch other{.tick = 2, .now = {}, .events = {}};
  ASSERT_TRUE(correlator.offer(1, other));
  EXPECT_TRUE(correlator.offer(0, third));
}

TEST(HostEventTable, AddsUpByKey) {
  HostEventTable table({});
  table.add(failed(key(1), 80));
  table.add(failed(key(1), 81));
  table.add(failed(key(2), 80));
  const auto events = table.take();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].refused, 2u);
  EXPECT_EQ(events[0].failed_ports.size(), 2u);
  EXPECT_TRUE(table.empty());
}

TEST(HostEventTable, ASpareGivesItsMemoryAndNotItsEvents) {
  HostEventTable table({});
  table.add(failed(key(1), 80));
  std::vector<HostEvent> spare{failed(key(7), 80)};
  spare.reserve(100);
  const HostEvent* const memory = spare.data();
  EXPECT_EQ(table.take(std::move(spare)).size(), 1u);
  EXPECT_TRUE(table.empty());
  table.add(failed(key(2), 80));
  const auto events = table.take();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].key, key(2));
  EXPECT_EQ(events.data(), memory);
}

TEST(HostEventTable, WhoDoesMuchStaysAndTheRestIsCountedBySource) {
  HostEventTable table({.events = 64, .remainders = 16});
  for (std::uint16_t port = 1; port <= 3; ++port) table.add(failed(key(9'999), port));
  for (std::uint32_t source = 0; source < 1000; ++source) table.add(failed(key(source), 80));
  table.add(failed(key(9'999), 4));
  std::uint64_t started = table.lost();
  bool has_much = false;
  for (const HostEvent& event : table.take()) {
    started += event.started;
    has_much |= event.key == key(9'999) && event.started == 4;
  }
  EXPECT_TRUE(has_much);
  EXPECT_EQ(started, 1004u) << "nothing goes without a count";
  EXPECT_EQ(table.merged(), 16u);
}

TEST(HostEventTable, WhatComesBackIsCountedOnce) {
  HostEventTable table({.events = 4, .remainders = 4});
  for (std::uint32_t source = 0; source < 8; ++source) table.add(failed(key(source), 80));
  EXPECT_EQ(table.merged(), 4u);
  for (HostEvent& event : table.take()) table.add(std::move(event));
  EXPECT_EQ(table.merged(), 4u);
  EXPECT_EQ(table.lost(), 0u);
  EXPECT_EQ(table.take().size(), 8u);
}

TEST(PortSample, KeepsTheLowestWhateverTheOrder) {
  std::mt19937 random(3);
  std::vector<std::uint16_t> all(1000);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(i + 1);
  PortSample expected;
  for (const std::uint16_t port : all) expected.add(port);
  std::ranges::shuffle(all, random);
  PortSample left, right;
  for (std::size_t i = 0; i < all.size(); ++i) (i % 2 ? left : right).add(all[i]);
  left.add(right);
  EXPECT_EQ(left, expected);
  EXPECT_EQ(left.size(), PortSample::kMax);
  EXPECT_EQ(left.highest(), PortSample::kMax);
}

}  // namespace
}  // namespace nids
