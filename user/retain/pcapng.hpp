// SPDX-License-Identifier: Apache-2.0
// Blocks of a pcapng file as bytes (draft-ietf-opsawg-pcapng). Opens and writes no file.
#pragma once

#include <pcap/dlt.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nids/time.hpp"

namespace nids::pcapng {

using Bytes = std::vector<std::byte>;

struct Interface {
  std::string name{};           // if_name
  std::string description{};    // if_description, may be empty
  std::uint16_t link_type = 1;  // LINKTYPE_*: 1 is Ethernet
  std::uint32_t snap_len = 0;   // bytes, 0: no limit; libpcap wants the same in all of a file
  std::string filter{};         // if_filter, a pcap-filter expression; may be empty
};

// A file's number of a link type and libpcap's on this system are the same, but for raw IP.
inline constexpr std::uint16_t kLinkTypeRaw = 101;
constexpr int dlt_of(std::uint16_t link_type) {
  return link_type == kLinkTypeRaw ? DLT_RAW : link_type;
}
constexpr std::uint16_t link_type_of(int dlt) {
  return dlt == DLT_RAW ? kLinkTypeRaw : static_cast<std::uint16_t>(dlt);
}

// Section header in host byte order; `application` becomes shb_userappl.
void append_section_header(Bytes& out, std::string_view application);
// Time stamps of its packets are in nanoseconds (if_tsresol 9).
void append_interface(Bytes& out, const Interface& interface);

struct EnhancedPacket {
  std::uint32_t interface = 0;  // index of the interface block in the section
  WallTime time{};
  std::uint32_t original_len = 0;  // bytes on the wire, at least data.size()
  std::span<const std::byte> data{};
  bool outbound = false;                // epb_flags direction
  std::vector<std::string> comments{};  // already printable; each at most 65,535 bytes is kept
};
std::size_t size_of(const EnhancedPacket& packet);  // bytes of its block
void append_packet(Bytes& out, const EnhancedPacket& packet);

// What became of an interface's packets while the section was written.
struct Statistics {
  std::uint32_t interface = 0;
  WallTime start{}, end{};
  std::optional<std::uint64_t> received{};  // isb_ifrecv; none: not known
  std::uint64_t kept = 0;                   // isb_usrdeliv
  std::uint64_t dropped = 0;                // isb_ifdrop: lost by overload
};
void append_statistics(Bytes& out, const Statistics& statistics);

}  // namespace nids::pcapng
