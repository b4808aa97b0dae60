// SPDX-License-Identifier: Apache-2.0
// The packet as every stage after decode sees it: validated. Its bytes stay where they came from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "nids/abi/event.h"
#include "nids/time.hpp"

namespace nids {

class OwnedPacket;

struct Packet {
  Packet() = default;
  Packet(const Packet&) = default;
  Packet& operator=(const Packet&) = default;
  Packet(OwnedPacket&&) = delete;  // which would take the bytes with it
  Packet& operator=(OwnedPacket&&) = delete;

  WallTime time;
  nids_packet headers{};  // offsets are within `bytes`, or 0
  nids_direction direction = NIDS_INGRESS;
  std::uint32_t ifindex = 0;
  std::uint32_t wire_len = 0;      // bytes of all frames it stands for
  std::uint32_t wire_packets = 1;  // more than 1 for a GSO packet
  std::uint32_t segment_len = 0;   // payload bytes in each segment of a GSO packet; else 0
  std::uint32_t frame_len = 0;     // bytes as the hook or the capture file saw it
  std::uint8_t class_id = 0;       // the class if the first pass guessed `from_opener` right
  std::uint8_t other_class = 0;    // the class if it did not; 0: none
  std::uint32_t findings = 0;      // what it alone is guilty of: a bit each, by enum nids_finding
  nids_reason reason = NIDS_REASON_CAPTURE;  // why it came up
  nids_slot_address slot{};                  // where its flow is told what to send up
  nids_packet_detail detail{};               // zero where the packet has none
  // Sent by the side that opened the connection. The first pass guesses it; FlowTable corrects it.
  bool from_opener = true;
  nids_sender sender = NIDS_FROM_LO;  // in its flow; FlowTable fills it in
  // The captured part, from the link header; mostly in the ring, and for no longer than its record
  // is being taken: who keeps the packet longer makes an OwnedPacket of it.
  std::span<const std::byte> bytes;

  // Transport payload that was captured; empty where headers were not read to the end.
  std::span<const std::byte> payload() const;
};

// A packet with bytes of its own.
class OwnedPacket : public Packet {
 public:
  OwnedPacket() = default;
  explicit OwnedPacket(const Packet& packet) : Packet(packet) {
    own({packet.bytes.begin(), packet.bytes.end()});
  }
  OwnedPacket(const OwnedPacket& other) : OwnedPacket(static_cast<const Packet&>(other)) {}
  OwnedPacket(OwnedPacket&& other) noexcept = default;  // a vector's bytes stay where they are
  OwnedPacket& operator=(OwnedPacket other) noexcept {
    Packet::operator=(other);
    own_.swap(other.own_);
    return *this;
  }
  ~OwnedPacket() = default;

  void own(std::vector<std::byte> captured) {
    own_ = std::move(captured);
    bytes = own_;
  }

 private:
  std::vector<std::byte> own_;
};

// "192.0.2.1", "2001:db8::1"; `ip_version` is 4 or 6.
std::string address_text(const std::uint8_t (&address)[16], std::uint8_t ip_version);

}  // namespace nids
