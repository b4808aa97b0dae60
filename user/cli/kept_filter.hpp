// SPDX-License-Identifier: Apache-2.0
// A pcap-filter expression asked of kept packets, of whatever link types they are. Looks no name
// up.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "analyse/packet_filter.hpp"
#include "cli/services.hpp"
#include "decode/packet.hpp"
#include "nids/result.hpp"

namespace nids {

class KeptFilter {
 public:
  // An error: the expression means nothing on Ethernet.
  static Result<KeptFilter> compile(std::string expression, Services services);

  // `link_type` is a LINKTYPE_*, as pcapng has them. A link type on which the expression means
  // nothing has no packet that matches.
  bool matches(std::uint16_t link_type, std::span<const std::byte> bytes,
               std::uint32_t original_len);

 private:
  KeptFilter(std::string expression, Services services)
      : expression_(std::move(expression)), services_(std::move(services)) {}
  Result<PacketFilter> compile_for(std::uint16_t link_type) const;

  std::string expression_;
  Services services_;
  std::map<std::uint16_t, std::optional<PacketFilter>> filters_;  // none: it means nothing there
};

}  // namespace nids
