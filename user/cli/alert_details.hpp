// SPDX-License-Identifier: Apache-2.0
// A kept alert as JSON for scripts, and all of it for a person. Asks no index, prints nothing.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "retain/index.hpp"

namespace nids {

// The EVE object, of what is known where its record can't be read, with `id` and `place`: null, or
// segment, packet and offset. All texts are printable.
nlohmann::ordered_json alert_json(const IndexedAlert& alert);
// `flow`, the flow at that moment as `flows --json` has it; null where nothing is known of it.
nlohmann::ordered_json alert_flow_json(const IndexedAlert& alert);

// Where the packets of an alert's flow lie.
struct AlertPackets {
  std::uint64_t packets = 0, bytes = 0;
  std::map<SegmentName, std::uint64_t> segments;  // packets in each
  std::string directory;
  std::string export_command;
};

// The same, with where the packets of its flow lie.
nlohmann::ordered_json alert_details_json(const IndexedAlert& alert, const AlertPackets& packets);
// Several lines, wrapped at `width` columns; 0: not wrapped.
std::string alert_details_text(const IndexedAlert& alert, const AlertPackets& packets,
                               std::size_t width);

}  // namespace nids
