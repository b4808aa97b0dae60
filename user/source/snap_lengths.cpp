// SPDX-License-Identifier: Apache-2.0
#include "source/snap_lengths.hpp"

#include <algorithm>

namespace nids {
namespace {

// draft-ietf-opsawg-pcapng sections 4.1 and 4.2. The section header's type reads the same in both
// byte orders.
constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a;
constexpr std::uint32_t kInterfaceDescription = 1;
constexpr std::byte kBigEndianMagic{0x1a};
constexpr std::uint32_t kSnapLengthBytes = 4;

}  // namespace

std::uint32_t SnapLengths::word(std::size_t at) const noexcept {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i)
    value = value << 8 | std::to_integer<std::uint32_t>(head_[at + (is_big_endian_ ? i : 3 - i)]);
  return value;
}

void SnapLengths::take_head() noexcept {
  have_ = 0;
  if (word(0) == kSectionHeader)
    is_big_endian_ = head_[8] == kBigEndianMagic;
  else if (is_first_)
    is_other_ = true;
  is_first_ = false;
  const std::uint32_t total = word(4);
  if (total < kHeadBytes) is_other_ = true;
  if (is_other_) return;
  to_skip_ = total - kHeadBytes;
  if (word(0) == kInterfaceDescription && to_skip_ >= kSnapLengthBytes) {
    to_clear_ = kSnapLengthBytes;
    to_skip_ -= kSnapLengthBytes;
  }
}

void SnapLengths::edit(std::span<std::byte> bytes) noexcept {
  while (!bytes.empty() && !is_other_) {
    std::size_t done = 0;
    if (to_clear_ > 0) {
      done = std::min(to_clear_, bytes.size());
      std::fill_n(bytes.begin(), done, std::byte{0});
      to_clear_ -= done;
    } else if (to_skip_ > 0) {
      done = static_cast<std::size_t>(std::min<std::uint64_t>(to_skip_, bytes.size()));
      to_skip_ -= done;
    } else {
      done = std::min(kHeadBytes - have_, bytes.size());
      std::copy_n(bytes.begin(), done, head_.begin() + static_cast<std::ptrdiff_t>(have_));
      have_ += done;
      if (have_ == kHeadBytes) take_head();
    }
    bytes = bytes.subspan(done);
  }
}

}  // namespace nids
