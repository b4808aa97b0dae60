// SPDX-License-Identifier: Apache-2.0
// The counters in the Prometheus text format, version 0.0.4. Reads no map.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "report/counters.hpp"

namespace nids {

// The metrics of all interfaces, with each family once. No label has an address.
std::string metrics_text(std::span<const StatsReport> reports);

// The two comment lines before the samples of a family.
std::string metric_header(std::string_view name, std::string_view help, Kind kind);

}  // namespace nids
