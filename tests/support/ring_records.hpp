// SPDX-License-Identifier: Apache-2.0
// Records of the ring, sorted by kind as they came. Owns copies; trusts the program under test no
// further than a record's own size.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include "nids/abi/event.h"

namespace nids {

struct PacketRecord {
  nids_packet_event head;
  std::vector<std::byte> bytes;
};

struct RingRecords {
  std::vector<PacketRecord> packets;
  std::vector<nids_flow_event> flows;

  void take(std::span<const std::byte> record) {
    nids_event event{};
    ASSERT_GE(record.size(), sizeof(event));
    std::memcpy(&event, record.data(), sizeof(event));
    EXPECT_EQ(event.abi_version, NIDS_ABI_VERSION);
    if (event.kind == NIDS_RECORD_FLOW_EXPORT) return take_flow(record);
    ASSERT_EQ(event.kind, NIDS_RECORD_PACKET);
    take_packet(record);
  }

  void clear() { packets.clear(), flows.clear(); }

 private:
  void take_flow(std::span<const std::byte> record) {
    nids_flow_event& event = flows.emplace_back();
    ASSERT_GE(record.size(), sizeof(event));
    std::memcpy(&event, record.data(), sizeof(event));
  }

  void take_packet(std::span<const std::byte> record) {
    PacketRecord packet{};
    ASSERT_GE(record.size(), sizeof(packet.head));
    std::memcpy(&packet.head, record.data(), sizeof(packet.head));
    const auto behind = record.subspan(sizeof(packet.head));
    ASSERT_LE(packet.head.cap_len, behind.size());
    packet.bytes.assign(behind.begin(), behind.begin() + packet.head.cap_len);
    packets.push_back(std::move(packet));
  }
};

}  // namespace nids
