// SPDX-License-Identifier: Apache-2.0
// The fixture of tests that run packets through the program: four classes, and a word for each
// hook.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "support/bpf_run.hpp"
#include "support/packet_builder.hpp"

namespace nids {

enum Class : std::uint8_t { kNone, kSsh, kShallow, kCounted, kIdentified, kHeaders };

class FirstPassProgram : public BpfTest {
 protected:
  static constexpr int kTcUnspec = -1;  // TC_ACT_UNSPEC: later filters still run

  void SetUp() override { load({}, tables_); }

  void reload(const BpfSetup& setup) { ASSERT_NO_FATAL_FAILURE(load(setup, tables_)); }

  int ingress(std::span<const std::byte> frame) {
    const Result<std::uint32_t> action = program().ingress(frame);
    EXPECT_TRUE(action) << (action ? "" : action.error().message());
    return action ? static_cast<int>(*action) : -2;
  }
  int ingress(const PacketBuilder& builder) { return ingress(builder.bytes()); }

  int egress(const PacketBuilder& builder, const SkbFacts& facts = {}) {
    const Result<std::uint32_t> action = program().egress(builder.bytes(), facts);
    EXPECT_TRUE(action) << (action ? "" : action.error().message());
    return action ? static_cast<int>(*action) : -2;
  }

  int ingress_tc(const PacketBuilder& builder, const SkbFacts& facts = {}) {
    const Result<std::uint32_t> action = program().ingress_tc(builder.bytes(), facts);
    EXPECT_TRUE(action) << (action ? "" : action.error().message());
    return action ? static_cast<int>(*action) : -2;
  }

  void flow_from(int host, std::uint16_t dst_port = 9) {
    ingress(PacketBuilder{}
                .eth()
                .ipv4({.src = "10.1.0." + std::to_string(host), .dst = "10.0.0.2"})
                .tcp({.dst_port = dst_port}));
  }

  const RingRecords& drained() {
    records_.clear();
    program().drain(records_);
    return records_;
  }

  // Runs a flow that is captured whole until the ring has no room left.
  void fill_ring() {
    for (int i = 0; program().counters().ring_lost[NIDS_REASON_CAPTURE].packets == 0; ++i) {
      ASSERT_LT(i, 10'000);
      flow_from(1, 22);
    }
  }

  ClassTables tables_{
      {.name = "ssh", .tcp = {22}},
      {.name = "shallow", .tcp = {7070}, .interest = NIDS_INTEREST_INSPECT, .depth_bytes = 100},
      {.name = "counted", .tcp = {25}, .interest = NIDS_INTEREST_COUNT},
      {.name = "identified", .tcp = {8443}, .udp = {8443}, .interest = NIDS_INTEREST_IDENTIFY},
      {.name = "headers", .tcp = {7171}, .udp = {7171}, .interest = NIDS_INTEREST_HEADERS}};
  RingRecords records_;
};

}  // namespace nids
