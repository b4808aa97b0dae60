// SPDX-License-Identifier: Apache-2.0
// Any bytes as a pcapng file: what is read lies within them, is the same out of order, and reading
// ends.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "retain/pcapng_reader.hpp"

namespace {

using nids::pcapng::PacketBlock;

void require(bool is_true) {
  if (!is_true) std::abort();
}

// So that the sanitizer sees what is too long.
void touch(const PacketBlock& packet) {
  unsigned sum = 0;
  for (const std::byte one : packet.data) sum += std::to_integer<unsigned>(one);
  for (const auto comment : packet.comments)
    for (const char one : comment) sum += static_cast<unsigned char>(one);
  const volatile unsigned kept = sum;
  (void)kept;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto read_at = [=](std::uint64_t offset, std::span<std::byte> into) {
    const std::size_t there = offset < size ? std::min<std::size_t>(size - offset, into.size()) : 0;
    if (there != 0) std::memcpy(into.data(), data + offset, there);
    return there;
  };
  nids::pcapng::Reader reader(read_at, 64), other(read_at, 64);
  for (std::uint64_t number = 1;; ++number) {
    const auto packet = reader.next();
    require(reader.end() <= size);
    if (!packet || !*packet) {
      require(packet || reader.end() < size);
      break;
    }
    touch(**packet);
    require((*packet)->number >= number);
    require((*packet)->interface < reader.interfaces().size());
    require((*packet)->original_len >= (*packet)->data.size());
    require((*packet)->offset + (*packet)->bytes.size() == reader.end());
    const auto again = other.at((*packet)->offset);
    if (!again) continue;  // it may stand in a section that at() does not look for
    require(again->data.size() == (*packet)->data.size());
    require(again->comments.size() == (*packet)->comments.size());
  }
  if (size >= sizeof(std::uint64_t)) {  // an index may lie, too
    std::uint64_t offset = 0;
    std::memcpy(&offset, data + size - sizeof(offset), sizeof(offset));
    for (const std::uint64_t at : {offset, offset % size})
      if (const auto packet = other.at(at)) touch(*packet);
    other.seek(offset % size, 0);
    if (const auto packet = other.next(); packet && *packet) touch(**packet);
  }
  return 0;
}
