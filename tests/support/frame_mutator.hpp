// SPDX-License-Identifier: Apache-2.0
// Honest, lying and unusual packets, changed in a few places: the same sequence for the same seed.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "support/packet_builder.hpp"
#include "support/sample_packets.hpp"
#include "support/unusual_frames.hpp"

namespace nids {

class FrameMutator {
 public:
  // No frame is shorter: BPF_PROG_TEST_RUN takes none.
  static constexpr std::size_t kShortest = 14;

  explicit FrameMutator(std::uint32_t seed) : frames_(unusual_frames()), random_(seed) {
    for (HonestPacket& packet : honest_packets()) frames_.push_back(std::move(packet.frame));
    for (LyingPacket& packet : lying_packets()) frames_.push_back(std::move(packet.frame));
  }

  const std::vector<Bytes>& originals() const { return frames_; }
  std::size_t below(std::size_t limit) { return random_() % limit; }

  Bytes next() {
    Bytes frame = frames_[below(frames_.size())];
    for (std::size_t changes = below(4); changes > 0; --changes) change(frame);
    if (frame.size() < kShortest) frame.resize(kShortest);
    return frame;
  }

 private:
  std::byte any_byte() { return static_cast<std::byte>(random_()); }

  void change(Bytes& frame) {
    if (frame.empty()) return frame.resize(kShortest);
    // The headers stand in front: most changes fall there.
    const std::size_t at =
        below(below(4) != 0 ? std::min<std::size_t>(frame.size(), 120) : frame.size());
    switch (below(8)) {
      case 0:
        frame[at] = any_byte();
        break;
      case 1:
        frame[at] ^= static_cast<std::byte>(1u << below(8));
        break;
      case 2:
        set_word(frame, at);
        break;
      case 3:
        frame.resize(below(frame.size() + 1));
        break;
      case 4:
        for (std::size_t more = below(64); more > 0; --more) frame.push_back(any_byte());
        break;
      case 5:
        insert_tag(frame);
        break;
      case 6:
        std::swap(frame[at], frame[below(frame.size())]);
        break;
      default:
        frame[at] = static_cast<std::byte>(kInteresting[below(kInteresting.size())]);
    }
  }

  // A 16-bit field near the frame's own length, or at a limit.
  void set_word(Bytes& frame, std::size_t at) {
    if (at + 2 > frame.size()) return;
    const std::array<std::size_t, 7> values{
        0, 0xffff, frame.size() - at, frame.size() - 14, frame.size() + below(5) - 2, 4789, 6081};
    const std::size_t value = values[below(values.size())];
    frame[at] = static_cast<std::byte>(value >> 8);
    frame[at + 1] = static_cast<std::byte>(value);
  }

  void insert_tag(Bytes& frame) {
    if (frame.size() < kShortest) return;
    const std::array<std::byte, 4> tag{std::byte{0x81}, std::byte{0}, any_byte(), any_byte()};
    frame.insert(frame.begin() + 12, tag.begin(), tag.end());
  }

  static constexpr std::array kInteresting{0x00, 0x01, 0x02, 0x03, 0x04, 0x06, 0x08, 0x0b, 0x11,
                                           0x29, 0x2b, 0x2c, 0x2f, 0x33, 0x3a, 0x3b, 0x3c, 0x44,
                                           0x45, 0x46, 0x4f, 0x50, 0x60, 0x65, 0x7f, 0x80, 0x81,
                                           0x83, 0x84, 0x86, 0x87, 0x88, 0x89, 0xe0, 0xf0, 0xff};
  std::vector<Bytes> frames_;
  std::mt19937 random_;
};

}  // namespace nids
