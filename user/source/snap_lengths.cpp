// SPDX-License-Identifier: Apache-2.0
#include "source/snap_lengths.hpp"

#include <algorithm>

namespace nids {
namespace {

// draft-ietf-opsawg-pcapng sections 4.1 to 4.4 and appendix A. The section header's type reads the
// same in both byte orders.
constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a;
constexpr std::uint32_t kInterfaceDescription = 1;
constexpr std::uint32_t kObsoletePacket = 2;
constexpr std::uint32_t kSimplePacket = 3;
constexpr std::uint32_t kEnhancedPacket = 6;
constexpr std::byte kBigEndianMagic{0x1a};
constexpr std::size_t kLengthsEnd = 8;            // of type and total length
constexpr std::uint32_t kSimplePacketBytes = 16;  // of the block without the packet

}  // namespace

std::uint32_t SnapLengths::word(std::span<const std::byte, 4> bytes) const noexcept {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i)
    value = value << 8 | std::to_integer<std::uint32_t>(bytes[is_big_endian_ ? i : 3 - i]);
  return value;
}

std::uint32_t SnapLengths::head_word(std::size_t index) const noexcept {
  return word(std::span<const std::byte, 4>(head_.data() + 4 * index, 4));
}

// Only after type and total length have passed.
bool SnapLengths::is_simple_packet() const noexcept {
  return !is_first_ && head_word(0) == kSimplePacket && head_word(1) >= kSimplePacketBytes;
}

void SnapLengths::edit_head(std::span<std::byte> bytes) noexcept {
  const std::size_t before = have_;
  std::copy(bytes.begin(), bytes.end(), head_.begin() + static_cast<std::ptrdiff_t>(before));
  have_ += bytes.size();
  if (have_ > kLengthsEnd && is_simple_packet()) {
    const std::uint32_t length = head_word(1) - kSimplePacketBytes;
    for (std::size_t at = std::max(before, kLengthsEnd); at < have_; ++at) {
      const std::size_t place = at - kLengthsEnd;
      bytes[at - before] =
          static_cast<std::byte>(length >> 8 * (is_big_endian_ ? 3 - place : place));
    }
  }
  if (have_ == kHeadBytes) take_head();
}

void SnapLengths::take_head() noexcept {
  have_ = 0;
  const std::uint32_t type = head_word(0);
  if (type == kSectionHeader) {
    is_big_endian_ = head_[kLengthsEnd] == kBigEndianMagic;
    first_snap_length_.reset();
  } else if (is_first_) {
    is_other_ = true;
  }
  is_first_ = false;
  const std::uint32_t total = head_word(1);
  if (total < kHeadBytes) is_other_ = true;
  if (is_other_) return;
  to_skip_ = total - kHeadBytes;
  if (type == kInterfaceDescription && to_skip_ >= snap_length_.size()) {
    to_clear_ = snap_length_.size();
    to_skip_ -= to_clear_;
  }
  if (type == kObsoletePacket || type == kSimplePacket || type == kEnhancedPacket) ++packets_;
  if (is_simple_packet()) take_simple_packet();
}

void SnapLengths::take_snap_length(std::span<std::byte> bytes) noexcept {
  for (std::byte& byte : bytes) {
    snap_length_[snap_length_.size() - to_clear_--] = byte;
    byte = std::byte{0};
  }
  if (to_clear_ == 0 && !first_snap_length_) first_snap_length_ = word(snap_length_);
}

void SnapLengths::take_simple_packet() noexcept {
  const std::uint32_t original = head_word(2);
  const std::uint32_t limit = first_snap_length_.value_or(0);
  const std::uint32_t captured = limit == 0 ? original : std::min(original, limit);
  simple_packets_.push_back({.number = packets_,
                             .original_len = original,
                             .captured_len = captured,
                             .is_longer_than_block = captured > head_word(1) - kSimplePacketBytes});
}

void SnapLengths::edit(std::span<std::byte> bytes) noexcept {
  while (!bytes.empty() && !is_other_) {
    std::size_t done = 0;
    if (to_clear_ > 0) {
      done = std::min(to_clear_, bytes.size());
      take_snap_length(bytes.first(done));
    } else if (to_skip_ > 0) {
      done = static_cast<std::size_t>(std::min<std::uint64_t>(to_skip_, bytes.size()));
      to_skip_ -= done;
    } else {
      done = std::min(kHeadBytes - have_, bytes.size());
      edit_head(bytes.first(done));
    }
    bytes = bytes.subspan(done);
  }
}

std::optional<SnapLengths::SimplePacket> SnapLengths::simple_packet(std::uint64_t number) {
  while (!simple_packets_.empty() && simple_packets_.front().number < number)
    simple_packets_.pop_front();
  if (simple_packets_.empty() || simple_packets_.front().number != number) return std::nullopt;
  return simple_packets_.front();
}

}  // namespace nids
