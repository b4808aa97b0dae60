// SPDX-License-Identifier: Apache-2.0
// Lets libpcap read pcapng sections whose interfaces were snapped to different lengths, which it
// refuses. Sets each snap length to "no limit" as the bytes pass. Remembers the captured length of
// each Simple Packet Block, because only the snap length tells it. Changes no other format.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>

namespace nids {

class SnapLengths {
 public:
  // The lengths of a Simple Packet Block. edit() sets its original length to the size of the block,
  // so that libpcap returns all bytes: the captured ones and the padding.
  struct SimplePacket {
    std::uint64_t number = 0;        // among all packets of the file, from 1
    std::uint32_t original_len = 0;  // bytes on the wire
    std::uint32_t captured_len = 0;  // bytes, by the snap length of the section's first interface
    bool is_longer_than_block = false;  // damage: the block does not hold the captured bytes
  };

  // The next bytes of the file, in order and without gaps.
  void edit(std::span<std::byte> bytes) noexcept;

  // The packet of this number, if a Simple Packet Block holds it. Call it with rising numbers.
  std::optional<SimplePacket> simple_packet(std::uint64_t number);

 private:
  // Block type, total length, and the word after them: byte-order magic, link type, or the original
  // length of a simple packet.
  static constexpr std::size_t kHeadBytes = 12;

  void edit_head(std::span<std::byte> bytes) noexcept;
  void take_head() noexcept;
  void take_snap_length(std::span<std::byte> bytes) noexcept;
  void take_simple_packet() noexcept;
  bool is_simple_packet() const noexcept;
  std::uint32_t word(std::span<const std::byte, 4> bytes) const noexcept;
  std::uint32_t head_word(std::size_t index) const noexcept;

  std::array<std::byte, kHeadBytes> head_{};
  std::size_t have_ = 0;                            // bytes of the current block's head
  std::array<std::byte, 4> snap_length_{};          // of the current interface, as the file has it
  std::size_t to_clear_ = 0;                        // bytes of a snap length that come next
  std::uint64_t to_skip_ = 0;                       // bytes of the block after those
  std::optional<std::uint32_t> first_snap_length_;  // of the section; 0 is no limit
  std::uint64_t packets_ = 0;
  // Packets that passed and were not asked for yet: as many as libpcap's buffer holds.
  std::deque<SimplePacket> simple_packets_;
  bool is_big_endian_ = false;
  bool is_first_ = true;
  bool is_other_ = false;  // no pcapng, or damaged: everything passes
};

}  // namespace nids
