// SPDX-License-Identifier: Apache-2.0
// FlowTable::track() for a temporary packet, which the table changes.
#pragma once

#include "flow/flow_table.hpp"

namespace nids {

inline Flow& track(FlowTable& table, Packet packet) { return *table.find(table.track(packet)); }

}  // namespace nids
