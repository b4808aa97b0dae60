// SPDX-License-Identifier: Apache-2.0
// Packets made on the spot, for a table that completes what it tracks.
#pragma once

#include "flow/flow_table.hpp"

namespace nids {

inline Flow& track(FlowTable& table, Packet packet) { return table.track(packet); }

}  // namespace nids
