// SPDX-License-Identifier: Apache-2.0
// Flows begin in any way of their set: whatever the load of the table, a reader finds all of them,
// and what it reads and what was exported add up to the ledger.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>

#include "firstpass/first_pass.hpp"
#include "source/twin_tables.hpp"
#include "support/class_tables.hpp"
#include "support/packet_builder.hpp"

namespace nids {
namespace {

constexpr std::uint32_t kSlots = 4'096;  // of each table

class TableLoad : public testing::TestWithParam<double> {
 protected:
  // Two packets of each flow, half of the flows of each version of IP.
  void send_flows(std::uint32_t flows) {
    for (std::uint32_t round = 0; round < 2; ++round)
      for (std::uint32_t flow = 0; flow < flows; ++flow) {
        const std::string host =
            std::to_string(flow / 250 % 250) + '.' + std::to_string(flow % 250);
        PacketBuilder builder;
        builder.eth();
        if (flow % 2 == 0)
          builder.ipv4({.src = "10." + std::to_string(flow / 62'500) + '.' + host});
        else
          builder.ipv6({.src = "2001:db8::" + std::to_string(flow % 10'000) + ':' +
                               std::to_string(flow / 10'000)});
        const Bytes frame = builder.udp({.dst_port = 9}).payload_bytes(flow % 100).bytes();
        const auto length = static_cast<std::uint32_t>(frame.size());
        pass_.packet({.bytes = frame.data(),
                      .captured_len = length,
                      .wire_len = length,
                      .time_ns = 1'000'000'000,
                      .is_ethernet = 1});
      }
  }

  void take(std::span<const std::byte> record) {
    ASSERT_GE(record.size(), sizeof(nids_flow_event));
    nids_flow_event event{};
    std::memcpy(&event, record.data(), sizeof(event));
    for (int i = 0; i < 2; ++i) exported_.packets += event.flow.state.packets[i];
    for (int i = 0; i < 2; ++i) exported_.bytes += event.flow.state.bytes[i];
  }

  nids_sum exported_{};
  ClassTables tables_{{.name = "any"}};
  FirstPass pass_{{.slots = kSlots, .slots_ipv6 = kSlots},
                  tables_.classes,
                  *tables_.ports,
                  [this](auto record) { take(record); }};
};

TEST_P(TableLoad, SlotsAndExportsAddUpToTheLedger) {
  const auto flows = static_cast<std::uint32_t>(2 * kSlots * GetParam());
  send_flows(flows);
  nids_sum read{};
  std::size_t slots = 0;
  FlowReader(tables_of(pass_)).scan({}, [&](const FlowPart& part) {
    ++slots;
    read.packets += part.packets[0] + part.packets[1];
    read.bytes += part.bytes[0] + part.bytes[1];
  });
  const nids_counters& counters = pass_.counters();
  EXPECT_EQ(slots, counters.flows_created - counters.flows_exported);
  EXPECT_EQ(counters.unaccounted.packets, 0u);
  EXPECT_EQ(read.packets, counters.live.packets);
  EXPECT_EQ(read.bytes, counters.live.bytes);
  EXPECT_EQ(read.packets, pass_.live_by_scan().packets);
  EXPECT_EQ(read.packets + exported_.packets, 2u * flows);
  EXPECT_EQ(read.bytes + exported_.bytes, counters.seen[NIDS_INGRESS].bytes);
  if (GetParam() <= 1.0 / 8) {
    EXPECT_EQ(counters.flows_created, flows) << "no flow has two slots";
  } else {
    EXPECT_GT(slots, 2 * kSlots * 8 / 10);
  }
}

// What a scan costs in which nothing is new: the agent does one a second, whatever comes.
TEST(TableScan, CpuTimeOfAnIdleScanOfAMillionSlots) {
  constexpr std::uint32_t kMillion = 1u << 20;
  ClassTables tables{{.name = "any"}};
  FirstPass pass{{.slots = kMillion, .slots_ipv6 = NIDS_WAYS},
                 tables.classes,
                 *tables.ports,
                 [](std::span<const std::byte>) {}};
  for (const bool is_full : {false, true}) {
    if (is_full)
      for (std::uint32_t set = 0; set < kMillion / NIDS_WAYS; ++set)
        for (auto& slot : pass.twin().sets4[set].way) slot.state.generation = 1;
    FlowReader reader(tables_of(pass));
    std::uint64_t parts = 0;
    const auto scan = [&] { reader.scan({}, [&](const FlowPart&) { ++parts; }); };
    scan();
    parts = 0;
    constexpr int kScans = 5;
    const std::clock_t start = std::clock();
    for (int i = 0; i < kScans; ++i) scan();
    const double ms = 1e3 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC / kScans;
    std::printf("idle scan of %u slots, %s: %.1f ms of CPU\n", kMillion,
                is_full ? "all in use" : "none in use", ms);
    EXPECT_EQ(parts, 0u);
    EXPECT_LT(ms, 1'000.0);
  }
}

INSTANTIATE_TEST_SUITE_P(Loads, TableLoad, testing::Values(1.0 / 64, 1.0 / 8, 1.0, 4.0),
                         [](const auto& load) {
                           return "of64th" + std::to_string(static_cast<int>(load.param * 64));
                         });

}  // namespace
}  // namespace nids
