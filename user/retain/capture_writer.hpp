// SPDX-License-Identifier: Apache-2.0
// Kept packets as a capture file: pcapng, or the older pcap. Opens nothing; where the bytes go is
// the caller's.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "nids/abi/counters.h"
#include "nids/result.hpp"
#include "retain/pcapng_reader.hpp"

namespace nids {

enum class CaptureFormat { kPcapng, kPcap };

class CaptureWriter {
 public:
  using Sink = std::function<Result<void>(std::span<const std::byte>)>;

  // Gives the sink large pieces.
  CaptureWriter(CaptureFormat format, Sink sink);

  // Comments and directions are kept in pcapng, whose interfaces of one name and link type become
  // one; pcap has neither, but times to the nanosecond too. An error: the sink's, or what pcap has
  // no room for: a second link type, a time of 2106 or later.
  Result<void> add(const pcapng::PacketBlock& packet, const pcapng::Interface& interface);
  // What is left, and the head of a file without packets. Once, at the end.
  Result<void> finish();

  const nids_sum& written() const { return written_; }  // packets, and their captured bytes

 private:
  void begin(std::uint16_t link_type);
  void add_pcapng(const pcapng::PacketBlock& packet, const pcapng::Interface& interface);
  Result<void> add_pcap(const pcapng::PacketBlock& packet, const pcapng::Interface& interface);
  Result<void> flush();

  CaptureFormat format_;
  Sink sink_;
  pcapng::Bytes buffer_;
  bool has_begun_ = false;
  std::uint16_t link_type_ = 0;  // of the whole of a pcap
  std::map<std::pair<std::string, std::uint16_t>, std::uint32_t> interfaces_;  // by name and link
  nids_sum written_{};
};

}  // namespace nids
