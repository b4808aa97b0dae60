// SPDX-License-Identifier: Apache-2.0
// Records of the ring, sorted by kind as they came. Owns copies; trusts the program under test no
// further than a record's own size.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "nids/abi/event.h"

namespace nids {

struct PacketRecord {
  nids_packet_event head{};
  nids_packet_detail detail{};  // zero where the record has none
  std::vector<std::byte> bytes;
  std::vector<std::byte> raw;  // the whole record, as it came
  std::size_t ring = 0;
};

struct ExportRecord : nids_flow_event {
  std::uint64_t ring = 0;
  nids_flow_tunnel tunnel{};  // zero where the record has none
};

struct RingRecords {
  std::vector<PacketRecord> packets;
  std::vector<ExportRecord> flows;
  std::size_t ring = 0;     // of what is taken next
  std::uint64_t taken = 0;  // records since the last clear(), and their bytes
  std::uint64_t taken_bytes = 0;

  void take(std::span<const std::byte> record) {
    nids_event event{};
    ++taken;
    taken_bytes += record.size();
    ASSERT_GE(record.size(), sizeof(event));
    std::memcpy(&event, record.data(), sizeof(event));
    EXPECT_EQ(event.abi_version, NIDS_ABI_VERSION);
    if (event.kind == NIDS_RECORD_FLOW_EXPORT) return take_flow(record);
    ASSERT_EQ(event.kind, NIDS_RECORD_PACKET);
    take_packet(record);
  }

  void clear() { *this = {}; }

  // What the exported slots held.
  nids_sum exported() const {
    nids_sum sum{};
    for (const nids_flow_event& event : flows) {
      const nids_flow_state& state = event.flow.state;
      sum.packets += std::uint64_t{state.packets[0]} + state.packets[1];
      sum.bytes += state.bytes[0] + state.bytes[1];
    }
    return sum;
  }

 private:
  void take_flow(std::span<const std::byte> record) {
    ExportRecord& event = flows.emplace_back();
    event.ring = ring;
    const bool has_tunnel = record.size() == sizeof(nids_flow6_event);
    ASSERT_TRUE(has_tunnel || record.size() == sizeof(nids_flow_event));
    std::memcpy(static_cast<nids_flow_event*>(&event), record.data(), sizeof(nids_flow_event));
    if (has_tunnel)
      std::memcpy(&event.tunnel, record.data() + sizeof(nids_flow_event), sizeof(event.tunnel));
  }

  void take_packet(std::span<const std::byte> record) {
    PacketRecord packet{};
    packet.ring = ring;
    ASSERT_GE(record.size(), sizeof(packet.head));
    std::memcpy(&packet.head, record.data(), sizeof(packet.head));
    auto behind = record.subspan(sizeof(packet.head));
    if (packet.head.detail_len != 0) {
      ASSERT_EQ(packet.head.detail_len, sizeof(packet.detail));
      ASSERT_GE(behind.size(), sizeof(packet.detail));
      std::memcpy(&packet.detail, behind.data(), sizeof(packet.detail));
      behind = behind.subspan(sizeof(packet.detail));
    }
    ASSERT_LE(packet.head.cap_len, behind.size());
    packet.bytes.assign(behind.begin(), behind.begin() + packet.head.cap_len);
    packet.raw.assign(record.begin(), record.end());
    packets.push_back(std::move(packet));
  }
};

}  // namespace nids
