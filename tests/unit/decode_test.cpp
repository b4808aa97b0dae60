// SPDX-License-Identifier: Apache-2.0
#include "decode/decode.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>

namespace nids {
namespace {

using Bytes = std::vector<std::byte>;

constexpr std::uint32_t kCapLen = 64;

nids_packet_event packet_event() {
  nids_packet_event record{};
  record.event = {1'000, NIDS_ABI_VERSION, NIDS_RECORD_PACKET, NIDS_EGRESS, 7};
  record.packet.network = NIDS_NETWORK_IPV4;
  record.packet.transport = NIDS_TRANSPORT_TCP;
  record.packet.ip_version = 4;
  record.packet.l4_proto = 6;
  record.packet.flags = NIDS_PACKET_HAS_PORTS | NIDS_PACKET_IS_FLOW;
  record.packet.vlan_count = 1;
  record.packet.vlan[0] = 4095;
  record.packet.l3_offset = 14;
  record.packet.l4_offset = 34;
  record.packet.payload_offset = 54;
  record.packet.payload_len = 1446;
  record.wire_len = 3'000;
  record.wire_packets = 2;
  record.frame_len = 1'500;
  record.cap_len = kCapLen;
  record.class_id = 1;
  record.from_opener = 1;
  record.reason = NIDS_REASON_INSPECT;
  record.findings = 1u << NIDS_FINDING_XMAS;
  record.slot = {.set = 12, .generation = 34};
  return record;
}

nids_flow_event flow_event() {
  nids_flow_event record{};
  record.event = {1'000, NIDS_ABI_VERSION, NIDS_RECORD_FLOW_EXPORT, NIDS_INGRESS, 7};
  record.flow.key.ip_version = 6;
  record.flow.state.packets[NIDS_FROM_HI] = 11;
  record.flow.history = 0x21;
  record.now_ticks = 1;
  record.tick_ns = 100;
  record.set = 9;
  record.cpu = 3;
  record.cause = NIDS_EXPORT_ENDED;
  return record;
}

template <class T>
Bytes bytes_of(const T& record, std::size_t bytes_behind = 0) {
  Bytes bytes(sizeof(record) + bytes_behind, std::byte{0xaa});
  std::memcpy(bytes.data(), &record, sizeof(record));
  return bytes;
}

class Decode : public testing::Test {
 protected:
  DecodeResult run(const Bytes& record) {
    record_ = Bytes(record);  // of its own size, so that a sanitizer sees a read behind it
    return decode(record_, {500}, packet_, flow_);
  }

  // A record of the kind that `lie` turned one field of.
  DecodeResult told(const std::function<void(nids_packet_event&)>& lie) {
    nids_packet_event record = packet_event();
    lie(record);
    return run(bytes_of(record, kCapLen));
  }
  DecodeResult told_flow(const std::function<void(nids_flow_event&)>& lie) {
    nids_flow_event record = flow_event();
    lie(record);
    return run(bytes_of(record));
  }

  Bytes record_;  // whose bytes are the packet's
  Packet packet_;
  ExportedFlow flow_;
};

TEST_F(Decode, PacketArrivesWithAllItsFields) {
  ASSERT_EQ(run(bytes_of(packet_event(), kCapLen)), DecodeResult::kPacket);

  EXPECT_EQ(packet_.time.ns, 1'500u);
  EXPECT_EQ(packet_.direction, NIDS_EGRESS);
  EXPECT_EQ(packet_.ifindex, 7u);
  EXPECT_EQ(packet_.wire_len, 3'000u);
  EXPECT_EQ(packet_.wire_packets, 2u);
  EXPECT_EQ(packet_.frame_len, 1'500u);
  EXPECT_EQ(packet_.class_id, 1);
  EXPECT_TRUE(packet_.from_opener);
  EXPECT_EQ(packet_.reason, NIDS_REASON_INSPECT);
  EXPECT_EQ(packet_.findings, 1u << NIDS_FINDING_XMAS);
  EXPECT_EQ(packet_.slot.set, 12u);
  EXPECT_EQ(packet_.slot.generation, 34u);
  EXPECT_EQ(packet_.headers.l4_offset, 34);
  EXPECT_TRUE(std::ranges::equal(packet_.bytes, Bytes(kCapLen, std::byte{0xaa})));
  EXPECT_EQ(packet_.payload().size(), 10u);
}

TEST_F(Decode, FlowExportArrivesAndLeavesThePacketAlone) {
  ASSERT_EQ(run(bytes_of(flow_event())), DecodeResult::kFlowExport);
  EXPECT_EQ(flow_.state.packets[NIDS_FROM_HI], 11u);
  EXPECT_EQ(flow_.key.ip_version, 6);
  EXPECT_EQ(flow_.history, 0x21u);
  EXPECT_EQ(flow_.cause, NIDS_EXPORT_ENDED);
  EXPECT_EQ(flow_.set, 9u);
  EXPECT_EQ(flow_.cpu, 3u);
  EXPECT_EQ(flow_.ifindex, 7u);
  EXPECT_TRUE(packet_.bytes.empty());
}

TEST_F(Decode, RecordInALargerReserveIsCutAtItsCapturedLength) {
  EXPECT_EQ(run(bytes_of(packet_event(), 4096)), DecodeResult::kPacket);
  EXPECT_EQ(packet_.bytes.size(), kCapLen);
  EXPECT_EQ(run(bytes_of(flow_event(), 13)), DecodeResult::kFlowExport);
}

TEST_F(Decode, UnalignedRecordIsRead) {
  Bytes shifted = bytes_of(packet_event(), kCapLen);
  shifted.insert(shifted.begin(), std::byte{});
  EXPECT_EQ(decode(std::span(shifted).subspan(1), {}, packet_, flow_), DecodeResult::kPacket);
}

TEST_F(Decode, APacketsBytesAreThoseOfItsRecordUntilItIsOwned) {
  Bytes record = bytes_of(packet_event(), kCapLen);
  ASSERT_EQ(decode(record, {}, packet_, flow_), DecodeResult::kPacket);
  EXPECT_EQ(packet_.bytes.data(), record.data() + sizeof(nids_packet_event));
  OwnedPacket owned(packet_), copy = owned;
  const OwnedPacket moved = std::move(owned);
  copy = OwnedPacket(copy);
  std::ranges::fill(record, std::byte{0xbb});
  for (const OwnedPacket* one : std::initializer_list<const OwnedPacket*>{&copy, &moved})
    EXPECT_TRUE(std::ranges::equal(one->bytes, Bytes(kCapLen, std::byte{0xaa})));
}

TEST_F(Decode, EveryLengthShorterThanTheRecordIsRefused) {
  for (const Bytes& whole : {bytes_of(packet_event(), kCapLen), bytes_of(flow_event())})
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_EQ(run(cut), DecodeResult::kInvalid) << size;
    }
}

TEST_F(Decode, RefusedRecordChangesNothing) {
  ASSERT_EQ(run(bytes_of(packet_event(), kCapLen)), DecodeResult::kPacket);
  ASSERT_EQ(told([](auto& r) {
              r.wire_len = 1;
              r.class_id = NIDS_CLASS_MAX;
            }),
            DecodeResult::kInvalid);
  EXPECT_EQ(packet_.wire_len, 3'000u);
  EXPECT_EQ(packet_.bytes.size(), kCapLen);
}

TEST_F(Decode, OtherVersionKindOrDirectionIsRefused) {
  EXPECT_EQ(told([](auto& r) { r.event.abi_version = NIDS_ABI_VERSION + 1; }),
            DecodeResult::kInvalid);
  EXPECT_EQ(told([](auto& r) { r.event.kind = NIDS_RECORD_FLOW_EXPORT + 1; }),
            DecodeResult::kInvalid);
  EXPECT_EQ(told([](auto& r) { r.event.direction = 2; }), DecodeResult::kInvalid);
  EXPECT_EQ(told_flow([](auto& r) { r.event.abi_version = 0; }), DecodeResult::kInvalid);
}

TEST_F(Decode, CapturedLengthBeyondRecordFrameOrSnapIsRefused) {
  EXPECT_EQ(told([](auto& r) { r.cap_len = kCapLen + 1; }), DecodeResult::kInvalid);
  EXPECT_EQ(told([](auto& r) { r.cap_len = 0xffffffff; }), DecodeResult::kInvalid);
  EXPECT_EQ(told([](auto& r) { r.frame_len = kCapLen - 1; }), DecodeResult::kInvalid);

  nids_packet_event record = packet_event();
  record.frame_len = record.cap_len = NIDS_SNAP_MAX + 1;
  EXPECT_EQ(run(bytes_of(record, record.cap_len)), DecodeResult::kInvalid);
  record.cap_len = NIDS_SNAP_MAX;
  EXPECT_EQ(run(bytes_of(record, record.cap_len)), DecodeResult::kPacket);
}

TEST_F(Decode, EnumOrIndexOutOfRangeIsRefused) {
  EXPECT_EQ(told([](auto& r) { r.packet.result = NIDS_PARSE_RESULT_COUNT; }),
            DecodeResult::kInvalid);
  EXPECT_EQ(told([](auto& r) { r.packet.network = NIDS_NETWORK_COUNT; }), DecodeResult::kInvalid);
  EXPECT_EQ(told([](auto& r) { r.packet.transport = NIDS_TRANSPORT_COUNT; }),
            DecodeResult::kPacket);
  EXPECT_EQ(told([](auto& r) { r.packet.transport = NIDS_TRANSPORT_COUNT + 1; }),
            DecodeResult::kInvalid);
  // Flows of no class come up too: identified, or samples of findings.
  EXPECT_EQ(told([](auto& r) { r.class_id = 0; }), DecodeResult::kPacket);
  EXPECT_EQ(told([](auto& r) { r.class_id = NIDS_CLASS_MAX - 1; }), DecodeResult::kPacket);
  EXPECT_EQ(told([](auto& r) { r.class_id = NIDS_CLASS_MAX; }), DecodeResult::kInvalid);
  EXPECT_EQ(told([](auto& r) { r.from_opener = 2; }), DecodeResult::kInvalid);
  EXPECT_EQ(told([](auto& r) { r.wire_packets = 0; }), DecodeResult::kInvalid);
}

TEST_F(Decode, IpVersionIsFourSixOrNoneAndAFlowHasOne) {
  EXPECT_EQ(told([](auto& r) { r.packet.ip_version = 6; }), DecodeResult::kPacket);
  EXPECT_EQ(told([](auto& r) { r.packet.ip_version = 5; }), DecodeResult::kInvalid);
  EXPECT_EQ(told([](auto& r) { r.packet.ip_version = 0; }), DecodeResult::kInvalid);
  EXPECT_EQ(told([](auto& r) { r.packet.ip_version = r.packet.flags = 0; }), DecodeResult::kPacket);
}

TEST_F(Decode, VlanTagsAreAtMostThreeOfTwelveBits) {
  EXPECT_EQ(told([](auto& r) { r.packet.vlan_count = NIDS_VLAN_MAX; }), DecodeResult::kPacket);
  EXPECT_EQ(told([](auto& r) { r.packet.vlan_count = NIDS_VLAN_MAX + 1; }), DecodeResult::kInvalid);
  EXPECT_EQ(told([](auto& r) { r.packet.vlan[0] = 4096; }), DecodeResult::kInvalid);
}

TEST_F(Decode, VlanIdsBehindTheCountAreForgotten) {
  ASSERT_EQ(told([](auto& r) { r.packet.vlan[2] = 0xffff; }), DecodeResult::kPacket);
  EXPECT_EQ(packet_.headers.vlan[0], 4095);
  EXPECT_EQ(packet_.headers.vlan[2], 0);
}

TEST_F(Decode, HeaderThatWasNotCapturedHasNoOffset) {
  ASSERT_EQ(told([](auto& r) { r.cap_len = 40; }), DecodeResult::kPacket);
  EXPECT_EQ(packet_.headers.l4_offset, 34);
  EXPECT_EQ(packet_.headers.payload_offset, 0);
  EXPECT_TRUE(packet_.payload().empty());

  ASSERT_EQ(told([](auto& r) { r.packet.l4_offset = r.packet.payload_offset = 65535; }),
            DecodeResult::kPacket);
  EXPECT_EQ(packet_.headers.l3_offset, 14);
  EXPECT_EQ(packet_.headers.l4_offset, 0);
}

TEST_F(Decode, HeadersOutOfOrderAreRefused) {
  EXPECT_EQ(told([](auto& r) { r.packet.l4_offset = 13; }), DecodeResult::kInvalid);
  EXPECT_EQ(told([](auto& r) { r.packet.payload_offset = 33; }), DecodeResult::kInvalid);
  EXPECT_EQ(told([](auto& r) {
              r.packet.l4_offset = 0;
              r.packet.payload_offset = 13;
            }),
            DecodeResult::kInvalid);
}

TEST_F(Decode, PayloadLengthNeverExceedsTheWire) {
  ASSERT_EQ(told([](auto& r) { r.packet.payload_len = 0xffffffff; }), DecodeResult::kPacket);
  EXPECT_EQ(packet_.headers.payload_len, 3'000u);
}

TEST_F(Decode, ReasonFindingsAndTunnelAreThoseThatThereAre) {
  EXPECT_EQ(told([](auto& r) { r.reason = NIDS_REASON_FINDING; }), DecodeResult::kPacket);
  EXPECT_EQ(told([](auto& r) { r.reason = NIDS_REASON_FLOW_EXPORT; }), DecodeResult::kInvalid);
  EXPECT_EQ(told([](auto& r) { r.reason = 255; }), DecodeResult::kInvalid);
  EXPECT_EQ(told([](auto& r) { r.findings = (1u << NIDS_FINDING_COUNT) - 1; }),
            DecodeResult::kPacket);
  EXPECT_EQ(told([](auto& r) { r.findings = 1u << NIDS_FINDING_COUNT; }), DecodeResult::kInvalid);
  EXPECT_EQ(told([](auto& r) { r.findings = 1u << 31; }), DecodeResult::kInvalid);
  EXPECT_EQ(told([](auto& r) { r.packet.tunnel = NIDS_TUNNEL_COUNT - 1; }), DecodeResult::kPacket);
  EXPECT_EQ(told([](auto& r) { r.packet.tunnel = NIDS_TUNNEL_COUNT; }), DecodeResult::kInvalid);
}

TEST_F(Decode, DetailStandsBeforeTheBytesAndIsThereWholeOrNotAtAll) {
  nids_packet_event record = packet_event();
  record.detail_len = sizeof(nids_packet_detail);
  nids_packet_detail detail{};
  detail.outer.key = 77;
  detail.outer.ip_version = 4;
  detail.embedded.ip_version = 6;
  detail.tcp_options.mss = 1460;
  Bytes bytes = bytes_of(record, sizeof(detail) + kCapLen);
  std::memcpy(bytes.data() + sizeof(record), &detail, sizeof(detail));

  ASSERT_EQ(run(bytes), DecodeResult::kPacket);
  EXPECT_EQ(packet_.detail.outer.key, 77u);
  EXPECT_EQ(packet_.detail.embedded.ip_version, 6);
  EXPECT_EQ(packet_.detail.tcp_options.mss, 1460);
  EXPECT_TRUE(std::ranges::equal(packet_.bytes, Bytes(kCapLen, std::byte{0xaa})));

  for (std::size_t size = sizeof(record); size < bytes.size(); ++size) {
    const Bytes cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(run(cut), DecodeResult::kInvalid) << size;
  }
  for (const std::uint8_t length : {1, 95, 97, 255}) {
    record.detail_len = length;
    EXPECT_EQ(run(bytes_of(record, 1000)), DecodeResult::kInvalid) << int{length};
  }
  record.detail_len = sizeof(detail);
  for (const bool is_outer : {true, false}) {
    nids_packet_detail lie = detail;
    (is_outer ? lie.outer.ip_version : lie.embedded.ip_version) = 5;
    std::memcpy(bytes.data() + sizeof(record), &lie, sizeof(lie));
    EXPECT_EQ(run(bytes), DecodeResult::kInvalid);
  }
}

TEST_F(Decode, PacketWithoutADetailHasNoneOfThePacketBefore) {
  packet_.detail.outer.key = 77;
  ASSERT_EQ(run(bytes_of(packet_event(), kCapLen)), DecodeResult::kPacket);
  EXPECT_EQ(packet_.detail.outer.key, 0u);
}

TEST_F(Decode, TimesOfAFlowAreTicksBeforeItsRecord) {
  const auto lie = [](std::uint32_t created, std::uint32_t last, std::uint32_t now) {
    return [=](nids_flow_event& r) {
      r.event.ktime_ns = 10'000;
      r.flow.state.created_ticks = created;
      r.flow.state.last_ticks = last;
      r.now_ticks = now;
    };
  };
  ASSERT_EQ(told_flow(lie(10, 60, 80)), DecodeResult::kFlowExport);
  EXPECT_EQ(flow_.created.ns, 3'000u + 500);
  EXPECT_EQ(flow_.last.ns, 8'000u + 500);
  ASSERT_EQ(told_flow(lie(0xfffffff0, 2, 4)), DecodeResult::kFlowExport);
  EXPECT_EQ(flow_.created.ns, 8'000u + 500) << "ticks wrap";
  ASSERT_EQ(told_flow(lie(81, 80, 80)), DecodeResult::kFlowExport);
  EXPECT_EQ(flow_.created.ns, 500u) << "never before the clock began";
  EXPECT_EQ(told_flow([](auto& r) { r.tick_ns = 0xffffffff; }), DecodeResult::kFlowExport);
}

TEST_F(Decode, FlowExportWithAFieldOutOfRangeIsRefused) {
  EXPECT_EQ(told_flow([](auto& r) { r.tick_ns = 0; }), DecodeResult::kInvalid);
  EXPECT_EQ(told_flow([](auto& r) { r.cause = NIDS_EXPORT_FULL; }), DecodeResult::kFlowExport);
  EXPECT_EQ(told_flow([](auto& r) { r.cause = NIDS_EXPORT_FULL + 1; }), DecodeResult::kInvalid);
  EXPECT_EQ(told_flow([](auto& r) { r.flow.key.ip_version = 5; }), DecodeResult::kInvalid);
  EXPECT_EQ(told_flow([](auto& r) { r.flow.key.ip_version = 0; }), DecodeResult::kInvalid);
  EXPECT_EQ(told_flow([](auto& r) { r.flow.state.class_id = NIDS_CLASS_MAX; }),
            DecodeResult::kInvalid);
  EXPECT_EQ(told_flow([](auto& r) { r.flow.key.vlan[0] = 4096; }), DecodeResult::kInvalid);
  EXPECT_EQ(told_flow([](auto& r) { r.flow.key.vlan[1] = 4096; }), DecodeResult::kInvalid);
}

}  // namespace
}  // namespace nids
