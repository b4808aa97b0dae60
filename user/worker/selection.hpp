// SPDX-License-Identifier: Apache-2.0
// Which packets that reach the agent are analysed and stored. All of them are counted.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "analyse/packet_filter.hpp"

namespace nids {

struct Selection {
  static constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

  std::optional<PacketFilter> filter;  // none: every packet
  std::string filter_text;             // its expression, as it was typed
  // Packets for which an analyser raised an alert, suppressed ones too; later packets are left out.
  std::uint64_t max_suspicious = kNoLimit;
  std::uint64_t max_kept = kNoLimit;  // packets that the store is asked to keep
};

}  // namespace nids
