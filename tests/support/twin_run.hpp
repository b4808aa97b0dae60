// SPDX-License-Identifier: Apache-2.0
// The native first pass under a test: packets in, decoded records out, and the ledger checked after
// each. Its clock moves only when told.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "decode/decode.hpp"
#include "firstpass/first_pass.hpp"
#include "net/flow_key.h"
#include "source/twin_tables.hpp"
#include "support/class_tables.hpp"
#include "support/packet_builder.hpp"

namespace nids {

inline constexpr std::uint64_t kMillisecond_ns = 1'000'000;
inline constexpr std::uint64_t kSecond_ns = 1'000 * kMillisecond_ns;

class TwinRun {
 public:
  std::vector<OwnedPacket> packets;
  std::vector<ExportedFlow> flows;
  std::uint64_t now_ns = kSecond_ns;

  TwinRun(const FirstPass::Setup& setup, const ClassTables& tables)
      : pass_(setup, tables.classes, *tables.ports, [this](auto record) { take(record); }) {}

  // Returns how many packets came up for it.
  std::size_t send(const Bytes& frame, std::size_t wire_len) {
    const std::size_t before = packets.size();
    pass_.packet({.bytes = frame.data(),
                  .captured_len = static_cast<std::uint32_t>(frame.size()),
                  .wire_len = static_cast<std::uint32_t>(wire_len),
                  .time_ns = now_ns,
                  .is_ethernet = 1});
    expect_balance(counters());
    const nids_sum scanned = pass_.live_by_scan();
    EXPECT_EQ(counters().live.packets, scanned.packets);
    EXPECT_EQ(counters().live.bytes, scanned.bytes);
    return packets.size() - before;
  }
  std::size_t send(const PacketBuilder& builder) {
    const Bytes frame = builder.bytes();
    return send(frame, frame.size());
  }

  void wait(std::uint64_t ns) { now_ns += ns; }

  std::uint32_t command(const Packet& packet, std::uint8_t word) {
    FlowIdentity flow;
    nids_flow_key_of(&packet.headers, &packet.detail, &flow.key, &flow.tunnel);
    return pass_.command(flow.key, flow.tunnel, packet.slot.set, word);
  }

  const nids_counters& counters() const { return pass_.counters(); }
  // What the slots hold.
  std::vector<FlowPart> slots() const {
    std::vector<FlowPart> parts;
    FlowReader(tables_of(pass_)).scan({}, [&](const FlowPart& part) { parts.push_back(part); });
    return parts;
  }

 private:
  void take(std::span<const std::byte> record) {
    Packet packet;
    ExportedFlow flow;
    switch (decode(record, {}, packet, flow)) {
      case DecodeResult::kPacket:
        packets.emplace_back(packet);
        break;
      case DecodeResult::kFlowExport:
        flows.push_back(flow);
        break;
      case DecodeResult::kInvalid:
        ADD_FAILURE() << "decode refuses a record of " << record.size() << " bytes";
    }
  }

  FirstPass pass_;
};

}  // namespace nids
