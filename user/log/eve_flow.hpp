// SPDX-License-Identifier: Apache-2.0
// The EVE line of a flow that has ended, or that goes on (reason "interim"), as Suricata 7 has it.
#pragma once

#include <string>
#include <string_view>

#include "flow/flow_record.hpp"
#include "nids/time.hpp"

namespace nids {

// One line with its newline; `now` becomes its timestamp. Its schema is docs/eve-flow.schema.json.
std::string eve_flow_line(const FlowRecord& record, std::string_view class_name,
                          std::string_view interface, WallTime now);

}  // namespace nids
