// SPDX-License-Identifier: Apache-2.0
#include "retain/pcapng_reader.hpp"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "retain/pcapng_blocks.hpp"

namespace nids::pcapng {
namespace {

using Span = std::span<const std::byte>;

constexpr std::size_t kRandomBytes = 16u << 10;          // most blocks, and not much in vain
constexpr std::uint32_t kLongBlock = 128u << 10;         // longer than a packet's should be
constexpr std::uint64_t kLastOffset = 1ull << 62;        // no file is longer
constexpr std::size_t kMaxText = 1024;                   // of an interface's name
constexpr std::size_t kHeadBytes = 12;                   // type, length, and a section's byte order
constexpr std::size_t kFixedBytes = 12;                  // of each block: type and both lengths
constexpr std::size_t kPacketHeadBytes = 28;             // before the data of a packet
constexpr std::uint32_t kOutbound = 2, kDirections = 3;  // of epb_flags

template <class T>
T value_at(Span bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.subspan(at, sizeof value).data(), sizeof value);
  return value;
}

std::uint32_t u32(Span bytes, std::size_t at) { return value_at<std::uint32_t>(bytes, at); }
std::uint16_t u16(Span bytes, std::size_t at) { return value_at<std::uint16_t>(bytes, at); }

std::size_t padded(std::size_t size) { return (size + 3) / 4 * 4; }

Error cannot_read(std::uint64_t offset, std::string reason, std::string hint = {}) {
  return {.action = "read the pcapng block at byte " + std::to_string(offset),
          .reason = std::move(reason),
          .hint = std::move(hint)};
}

std::string_view text_of(Span value) {
  return {reinterpret_cast<const char*>(value.data()), value.size()};
}

// Calls with each option's code and value. False: a length lies.
template <class OnOption>
bool each_option(Span options, OnOption on_option) {
  while (options.size() >= 4) {
    const std::uint16_t code = u16(options, 0);
    const std::size_t size = u16(options, 2);
    if (code == kEndOfOptions) return true;
    if (padded(size) > options.size() - 4) return false;
    on_option(code, options.subspan(4, size));
    options = options.subspan(4 + padded(size));
  }
  return options.empty();
}

__extension__ using Wide = __int128;

// What the interface's ticks are in nanoseconds: if_tsresol's high bit tells powers of two from
// powers of ten.
Wide nanoseconds(std::uint64_t ticks, std::uint8_t resolution) {
  const unsigned exponent = resolution & 0x7fu;
  if ((resolution & 0x80u) != 0) return (Wide{ticks} * 1'000'000'000) >> exponent;
  Wide ns = ticks;
  for (unsigned digit = exponent; digit < 9; ++digit) ns *= 10;
  for (unsigned digit = 9; digit < exponent && ns != 0; ++digit) ns /= 10;
  return ns;
}

WallTime wall_time(std::uint64_t ticks, std::uint8_t resolution, std::int64_t offset_s) {
  const Wide ns = nanoseconds(ticks, resolution) + Wide{offset_s} * 1'000'000'000;
  constexpr Wide kLast = std::numeric_limits<std::uint64_t>::max();
  return {static_cast<std::uint64_t>(std::clamp(ns, Wide{0}, kLast))};
}

bool is_packet(std::uint32_t type) {
  return type == kEnhancedPacketBlock || type == kObsoletePacketBlock;
}

// Whether a section's head is of this byte order; `head` holds kHeadBytes.
Result<void> check_order(Span head, std::uint64_t offset) {
  const std::uint32_t magic = u32(head, 8);
  if (magic == kByteOrderMagic) return {};
  if (magic == __builtin_bswap32(kByteOrderMagic))
    return cannot_read(offset, "the section is of the other byte order",
                       "editcap writes it anew in this host's");
  return cannot_read(offset, "the section has no byte order");
}

// Of the block's own kind: what stands before options or data must be there.
std::size_t least_bytes(std::uint32_t type) {
  switch (type) {
    case kSectionHeaderBlock:
      return 28;
    case kInterfaceBlock:
      return 20;
    case kSimplePacketBlock:
      return 16;
    case kEnhancedPacketBlock:
    case kObsoletePacketBlock:
      return kPacketHeadBytes + 4;
    default:
      return kFixedBytes;
  }
}

// Flags and comments. False: a length lies.
bool read_options(Span options, PacketBlock& packet) {
  return each_option(options, [&packet](std::uint16_t code, Span value) {
    if (code == kComment && packet.comments.size() < Reader::kMaxComments)
      packet.comments.push_back(text_of(value));
    if (code == kEpbFlags && value.size() == 4)
      packet.outbound = (u32(value, 0) & kDirections) == kOutbound;
  });
}

}  // namespace

ReadAt read_from(int fd) {
  return [fd](std::uint64_t offset, std::span<std::byte> into) {
    std::size_t done = 0;
    while (done < into.size()) {
      const ssize_t n =
          ::pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
      if (n > 0)
        done += static_cast<std::size_t>(n);
      else if (n == 0 || errno != EINTR)
        break;
    }
    return done;
  };
}

Span Reader::Window::view(const ReadAt& read_at, std::uint64_t offset, std::size_t size) {
  if (offset >= kLastOffset) return {};
  if (offset < start_ || offset + size > start_ + filled_) {
    if (bytes_.size() < std::max(size, size_)) bytes_.resize(std::max(size, size_));
    start_ = offset;
    filled_ = std::min(read_at(offset, bytes_), bytes_.size());
  }
  const std::size_t skipped = offset - start_;
  return std::span(bytes_).subspan(skipped, std::min(size, filled_ - skipped));
}

Reader::Reader(ReadAt read_at, std::size_t buffer_bytes)
    : read_at_(std::move(read_at)), sequential_(buffer_bytes), random_(kRandomBytes) {}

Error Reader::cut(std::uint64_t offset) {
  is_cut_ = true;
  return cannot_read(offset, "the file ends inside it");
}

// The whole block; empty at the end of the file.
Result<Span> Reader::block(Window& window, std::uint64_t offset) {
  is_cut_ = false;
  const Span head = window.view(read_at_, offset, kHeadBytes);
  if (head.empty()) return head;
  if (head.size() < kHeadBytes) return cut(offset);
  const std::uint32_t type = u32(head, 0), length = u32(head, 4);
  if (offset == 0 && type != kSectionHeaderBlock)
    return cannot_read(offset, "the file is no pcapng");
  if (type == kSectionHeaderBlock)
    if (auto order = check_order(head, offset); !order) return order.error();
  if (length % 4 != 0 || length < least_bytes(type) || length > kMaxBlock)
    return cannot_read(offset, "its length of " + std::to_string(length) + " bytes can't be");
  // No memory for what is not there.
  std::byte last{};
  if (length > kLongBlock && read_at_(offset + length - 1, {&last, 1}) != 1) return cut(offset);
  const Span whole = window.view(read_at_, offset, length);
  if (whole.size() < length) return cut(offset);
  if (u32(whole, length - 4) != length)
    return cannot_read(offset, "the lengths at its two ends differ");
  return whole;
}

// A section or an interface, met in the file's order.
Result<void> Reader::learn(Span block, std::uint64_t offset) {
  if (u32(block, 0) == kSectionHeaderBlock) {
    if (const unsigned major = u16(block, 12); major != 1)
      return cannot_read(offset, "it is of version " + std::to_string(major) + " of the format");
    if (sections_.size() >= kMaxInterfaces)
      return cannot_read(offset, "the file has too many sections");
    sections_.push_back({offset, static_cast<std::uint32_t>(interfaces_.size()), 0});
    return {};
  }
  if (interfaces_.size() >= kMaxInterfaces)
    return cannot_read(offset, "the file has too many interfaces");
  Interface interface {
    .name = {}, .description = {}, .link_type = u16(block, 8), .snap_len = u32(block, 12)
  };
  Clock clock;
  const bool is_sound =
      each_option(block.subspan(16, block.size() - 20), [&](std::uint16_t code, Span value) {
        const std::string_view text = text_of(value).substr(0, kMaxText);
        if (code == kIfName) interface.name = text;
        if (code == kIfDescription) interface.description = text;
        if (code == kIfFilter && text.starts_with('\0')) interface.filter = text.substr(1);
        if (code == kIfTsresol && value.size() == 1)
          clock.resolution = std::to_integer<std::uint8_t>(value[0]);
        if (code == kIfTsoffset && value.size() == 8)
          clock.offset_s = value_at<std::int64_t>(value, 0);
      });
  if (!is_sound) return cannot_read(offset, "the length of an option can't be");
  interfaces_.push_back(std::move(interface));
  clocks_.push_back(clock);
  ++sections_.back().interfaces;
  return {};
}

// What stands before the first packet, where all interfaces of our own files are.
Result<void> Reader::learn_beginning() {
  for (;;) {
    const auto bytes = block(sequential_, known_until_);
    if (!bytes) return bytes.error();
    if (bytes->empty()) return {};
    const std::uint32_t type = u32(*bytes, 0);
    if (type != kSectionHeaderBlock && type != kInterfaceBlock) return {};
    if (auto learnt = learn(*bytes, known_until_); !learnt) return learnt;
    known_until_ += bytes->size();
  }
}

Result<void> Reader::learn_until(std::uint64_t offset) {
  while (known_until_ < offset) {
    const auto bytes = block(sequential_, known_until_);
    if (!bytes) return bytes.error();
    if (bytes->empty()) return {};
    const std::uint32_t type = u32(*bytes, 0);
    if (type == kSectionHeaderBlock || type == kInterfaceBlock)
      if (auto learnt = learn(*bytes, known_until_); !learnt) return learnt;
    known_until_ += bytes->size();
  }
  return {};
}

// The index of the interface `id` in the section in which a block at `offset` lies.
std::optional<std::uint32_t> Reader::interface_of(std::uint32_t id, std::uint64_t offset) const {
  const auto later = std::upper_bound(
      sections_.begin(), sections_.end(), offset,
      [](std::uint64_t at, const Section& section) { return at < section.offset; });
  if (later == sections_.begin()) return std::nullopt;
  const Section& section = *std::prev(later);
  if (id >= section.interfaces) return std::nullopt;
  return section.first_interface + id;
}

Result<PacketBlock> Reader::packet(Window& window, Span block_bytes, std::uint64_t offset) {
  const bool is_obsolete = u32(block_bytes, 0) == kObsoletePacketBlock;  // its id has 16 bits
  const std::uint32_t id = is_obsolete ? u16(block_bytes, 8) : u32(block_bytes, 8);
  auto interface = interface_of(id, offset);
  if (!interface && known_until_ < offset) {
    if (auto learnt = learn_until(offset); !learnt) return learnt.error();
    const auto again = block(window, offset);  // the window may have moved on
    if (!again) return again.error();
    block_bytes = *again;
    // Someone else may have changed the file meanwhile.
    if (block_bytes.empty() || !is_packet(u32(block_bytes, 0))) return cut(offset);
    interface = interface_of(id, offset);
  }
  if (!interface)
    return cannot_read(offset, "its interface " + std::to_string(id) + " is described nowhere");

  const Span body = block_bytes.first(block_bytes.size() - 4);
  const std::size_t captured = u32(body, 20);
  if (captured > body.size() - kPacketHeadBytes ||
      padded(captured) > body.size() - kPacketHeadBytes)
    return cannot_read(offset, "its packet of " + std::to_string(captured) + " bytes is longer");
  PacketBlock packet;
  packet.offset = offset;
  packet.interface = *interface;
  packet.bytes = block_bytes;
  packet.time = wall_time(std::uint64_t{u32(body, 12)} << 32 | u32(body, 16),
                          clocks_[*interface].resolution, clocks_[*interface].offset_s);
  packet.data = body.subspan(kPacketHeadBytes, captured);
  packet.original_len = std::max(u32(body, 24), static_cast<std::uint32_t>(captured));
  if (!read_options(body.subspan(kPacketHeadBytes + padded(captured)), packet))
    return cannot_read(offset, "the length of an option can't be");
  return packet;
}

Result<std::optional<PacketBlock>> Reader::next() {
  if (position_ > known_until_ && sections_.empty())
    if (auto learnt = learn_beginning(); !learnt) return learnt.error();
  for (;;) {
    const auto bytes = block(sequential_, position_);
    if (!bytes) return bytes.error();
    if (bytes->empty()) return std::optional<PacketBlock>{};
    const std::uint64_t offset = position_, after = offset + bytes->size();
    const std::uint32_t type = u32(*bytes, 0);
    std::optional<PacketBlock> found;
    if (is_packet(type)) {
      auto read = packet(sequential_, *bytes, offset);
      if (!read) return read.error();
      found = std::move(*read);
    } else if (type == kSectionHeaderBlock || type == kInterfaceBlock) {
      if (auto learnt = learn_until(after); !learnt) return learnt.error();
    }
    if (is_packet(type) || type == kSimplePacketBlock) ++packets_;
    if (known_until_ == offset) known_until_ = after;
    position_ = after;
    if (!found) continue;
    found->number = packets_;
    return found;
  }
}

Result<PacketBlock> Reader::at(std::uint64_t offset) {
  if (sections_.empty())
    if (auto learnt = learn_beginning(); !learnt) return learnt.error();
  const auto bytes = block(random_, offset);
  if (!bytes) return bytes.error();
  if (bytes->empty()) return cut(offset);
  if (!is_packet(u32(*bytes, 0))) return cannot_read(offset, "it is no packet's");
  return packet(random_, *bytes, offset);
}

void Reader::seek(std::uint64_t offset, std::uint64_t packets) {
  position_ = offset;
  packets_ = packets;
}

}  // namespace nids::pcapng
