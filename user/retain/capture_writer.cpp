// SPDX-License-Identifier: Apache-2.0
#include "retain/capture_writer.hpp"

#include <array>
#include <cstdint>

#include "nids/sum.hpp"

namespace nids {
namespace {

constexpr std::size_t kPieceBytes = 256u << 10;
constexpr std::uint32_t kNanosecondMagic = 0xa1b23c4d;
constexpr std::uint32_t kSnapBytes = 262'144;  // libpcap takes no more
constexpr std::uint16_t kEthernet = 1;

// In the host's order, as pcapng is.
void append(pcapng::Bytes& out, std::span<const std::uint32_t> words) {
  const auto bytes = std::as_bytes(words);
  out.insert(out.end(), bytes.begin(), bytes.end());
}

}  // namespace

CaptureWriter::CaptureWriter(CaptureFormat format, Sink sink)
    : format_(format), sink_(std::move(sink)) {}

void CaptureWriter::begin(std::uint16_t link_type) {
  has_begun_ = true;
  link_type_ = link_type;
  buffer_.reserve(2 * kPieceBytes);
  if (format_ == CaptureFormat::kPcapng) {
    pcapng::append_section_header(buffer_, "nids-xdp");
    return;
  }
  constexpr std::uint32_t kVersion = 4u << 16 | 2;  // 2.4
  append(buffer_,
         std::array<std::uint32_t, 6>{kNanosecondMagic, kVersion, 0, 0, kSnapBytes, link_type});
}

void CaptureWriter::add_pcapng(const pcapng::PacketBlock& packet,
                               const pcapng::Interface& interface) {
  const auto [found, is_new] = interfaces_.try_emplace(
      {interface.name, interface.link_type}, static_cast<std::uint32_t>(interfaces_.size()));
  if (is_new) {
    pcapng::Interface described = interface;
    described.snap_len = 0;  // libpcap wants the same in all of a file
    pcapng::append_interface(buffer_, described);
  }
  pcapng::append_packet(buffer_, {.interface = found->second,
                                  .time = packet.time,
                                  .original_len = packet.original_len,
                                  .data = packet.data,
                                  .outbound = packet.outbound,
                                  .comments = {packet.comments.begin(), packet.comments.end()}});
}

Result<void> CaptureWriter::add_pcap(const pcapng::PacketBlock& packet,
                                     const pcapng::Interface& interface) {
  if (interface.link_type != link_type_)
    return Error{.action = "write pcap",
                 .reason = "the packets have the link types " + std::to_string(link_type_) +
                           " and " + std::to_string(interface.link_type) +
                           ", and a pcap file has one",
                 .hint = "--format pcapng"};
  const std::uint64_t seconds = packet.time.ns / 1'000'000'000;
  if (seconds > UINT32_MAX)
    return Error{.action = "write pcap",
                 .reason = "a packet is of 2106 or later, and pcap has no such times",
                 .hint = "--format pcapng"};
  append(buffer_, std::array{static_cast<std::uint32_t>(seconds),
                             static_cast<std::uint32_t>(packet.time.ns % 1'000'000'000),
                             static_cast<std::uint32_t>(packet.data.size()), packet.original_len});
  buffer_.insert(buffer_.end(), packet.data.begin(), packet.data.end());
  return {};
}

Result<void> CaptureWriter::add(const pcapng::PacketBlock& packet,
                                const pcapng::Interface& interface) {
  if (!has_begun_) begin(interface.link_type);
  if (format_ == CaptureFormat::kPcapng)
    add_pcapng(packet, interface);
  else if (auto added = add_pcap(packet, interface); !added)
    return added;
  written_ += one_packet(packet.data.size());
  return buffer_.size() < kPieceBytes ? Result<void>() : flush();
}

Result<void> CaptureWriter::flush() {
  auto done = sink_(buffer_);
  buffer_.clear();
  return done;
}

Result<void> CaptureWriter::finish() {
  if (!has_begun_) {
    begin(kEthernet);
    // libpcap takes no pcapng without an interface.
    if (format_ == CaptureFormat::kPcapng)
      pcapng::append_interface(buffer_, {.name = {}, .link_type = kEthernet});
  }
  return buffer_.empty() ? Result<void>() : flush();
}

}  // namespace nids
