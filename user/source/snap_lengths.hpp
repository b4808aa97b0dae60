// SPDX-License-Identifier: Apache-2.0
// Lets libpcap read pcapng sections whose interfaces were snapped to different lengths, which it
// refuses: sets each to "no limit" as the bytes pass. Changes nothing else, and no other format.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace nids {

class SnapLengths {
 public:
  // The next bytes of the file, in order and without gaps.
  void edit(std::span<std::byte> bytes) noexcept;

 private:
  // Block type, total length, and the word after them: byte-order magic or link type.
  static constexpr std::size_t kHeadBytes = 12;

  void take_head() noexcept;
  std::uint32_t word(std::size_t at) const noexcept;

  std::array<std::byte, kHeadBytes> head_{};
  std::size_t have_ = 0;       // bytes of the current block's head
  std::size_t to_clear_ = 0;   // bytes of a snap length that come next
  std::uint64_t to_skip_ = 0;  // bytes of the block after those
  bool is_big_endian_ = false;
  bool is_first_ = true;
  bool is_other_ = false;  // no pcapng, or damaged: everything passes
};

}  // namespace nids
