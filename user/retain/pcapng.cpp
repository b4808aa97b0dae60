// SPDX-License-Identifier: Apache-2.0
#include "retain/pcapng.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "retain/pcapng_blocks.hpp"

namespace nids::pcapng {
namespace {

constexpr std::size_t kMaxOption = 65'535;  // bytes; the length field has 16 bits
constexpr std::uint64_t kUnknownSectionLength = ~0ull;

// An enhanced packet block up to its data, and what follows it but for comments.
struct PacketHead {
  std::uint32_t type, length, interface, time_high, time_low, captured_len, original_len;
};
struct PacketFlags {
  std::uint16_t code = kEpbFlags, bytes = sizeof(std::uint32_t);
  std::uint32_t value;
};
struct PacketEnd {
  std::uint16_t code = kEndOfOptions, bytes = 0;
  std::uint32_t length;
};
constexpr std::size_t kOptionHead = 4;  // code and length

constexpr std::size_t padding_of(std::size_t bytes) { return (4 - bytes % 4) % 4; }

template <class T>
void put(Bytes& out, T value) {
  const auto bytes = std::bit_cast<std::array<std::byte, sizeof value>>(value);
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void put_padded(Bytes& out, std::span<const std::byte> data) {
  out.insert(out.end(), data.begin(), data.end());
  out.insert(out.end(), padding_of(data.size()), std::byte{0});
}

void put_option(Bytes& out, std::uint16_t code, std::span<const std::byte> value) {
  put(out, code);
  put(out, static_cast<std::uint16_t>(value.size()));
  put_padded(out, value);
}

// A character is kept whole or not at all. More than 3 continuation bytes in a row are no UTF-8:
// then there is no character to keep whole.
std::string_view cut(std::string_view text) {
  if (text.size() <= kMaxOption) return text;
  const auto continues = [&](std::size_t at) {
    return (static_cast<unsigned char>(text[at]) & 0xc0u) == 0x80u;
  };
  std::size_t size = kMaxOption;
  while (size > kMaxOption - 3 && continues(size)) --size;
  return text.substr(0, continues(size) ? kMaxOption : size);
}

void put_text(Bytes& out, std::uint16_t code, std::string_view text) {
  if (!text.empty()) put_option(out, code, std::as_bytes(std::span(cut(text))));
}

// Half by half, the high one first, in either byte order.
void put_time(Bytes& out, WallTime time) {
  put(out, static_cast<std::uint32_t>(time.ns >> 32));
  put(out, static_cast<std::uint32_t>(time.ns));
}

void put_time_option(Bytes& out, std::uint16_t code, WallTime time) {
  put(out, code);
  put(out, static_cast<std::uint16_t>(sizeof time.ns));
  put_time(out, time);
}

void put_count(Bytes& out, std::uint16_t code, std::uint64_t count) {
  put_option(out, code, std::as_bytes(std::span(&count, 1)));
}

void end_options(Bytes& out) { put_option(out, kEndOfOptions, {}); }

// The length stands at both ends of a block, so that readers can go backwards.
template <class Body>
void append_block(Bytes& out, std::uint32_t type, Body body) {
  const std::size_t start = out.size();
  put(out, type);
  put(out, std::uint32_t{0});
  body();
  const auto length = static_cast<std::uint32_t>(out.size() - start + sizeof(std::uint32_t));
  std::memcpy(out.data() + start + sizeof type, &length, sizeof length);
  put(out, length);
}

}  // namespace

void append_section_header(Bytes& out, std::string_view application) {
  append_block(out, kSectionHeaderBlock, [&] {
    put(out, kByteOrderMagic);   // tells the reader our byte order
    put(out, std::uint16_t{1});  // version 1.0
    put(out, std::uint16_t{0});
    put(out, kUnknownSectionLength);
    put_text(out, kShbUserAppl, application);
    end_options(out);
  });
}

void append_interface(Bytes& out, const Interface& interface) {
  append_block(out, kInterfaceBlock, [&] {
    put(out, interface.link_type);
    put(out, std::uint16_t{0});
    put(out, interface.snap_len);
    put_text(out, kIfName, interface.name);
    put_text(out, kIfDescription, interface.description);
    put_option(out, kIfTsresol, std::array{std::byte{9}});
    // A byte says what kind of filter: 0 is libpcap's text.
    if (!interface.filter.empty()) put_text(out, kIfFilter, '\0' + interface.filter);
    end_options(out);
  });
}

std::size_t size_of(const EnhancedPacket& packet) {
  std::size_t bytes = sizeof(PacketHead) + packet.data.size() + padding_of(packet.data.size()) +
                      sizeof(PacketFlags) + sizeof(PacketEnd);
  for (const std::string& comment : packet.comments) {
    const std::size_t kept = cut(comment).size();
    if (kept != 0) bytes += kOptionHead + kept + padding_of(kept);
  }
  return bytes;
}

// Of each packet that is kept: put together in few pieces.
void append_packet(Bytes& out, const EnhancedPacket& packet) {
  const auto length = static_cast<std::uint32_t>(size_of(packet));
  const auto captured_len = static_cast<std::uint32_t>(packet.data.size());
  put(out, PacketHead{.type = kEnhancedPacketBlock,
                      .length = length,
                      .interface = packet.interface,
                      .time_high = static_cast<std::uint32_t>(packet.time.ns >> 32),
                      .time_low = static_cast<std::uint32_t>(packet.time.ns),
                      .captured_len = captured_len,
                      .original_len = std::max(packet.original_len, captured_len)});
  put_padded(out, packet.data);
  put(out, PacketFlags{.value = packet.outbound ? 2u : 1u});
  for (const std::string& comment : packet.comments) put_text(out, kComment, comment);
  put(out, PacketEnd{.length = length});
}

void append_statistics(Bytes& out, const Statistics& statistics) {
  append_block(out, kStatisticsBlock, [&] {
    put(out, statistics.interface);
    put_time(out, statistics.end);
    put_time_option(out, kIsbStartTime, statistics.start);
    put_time_option(out, kIsbEndTime, statistics.end);
    if (statistics.received) put_count(out, kIsbIfRecv, *statistics.received);
    put_count(out, kIsbIfDrop, statistics.dropped);
    put_count(out, kIsbUsrDeliv, statistics.kept);
    end_options(out);
  });
}

}  // namespace nids::pcapng
