// SPDX-License-Identifier: Apache-2.0
// An alert and its flow as retain keeps them beside the packet. Writes nothing.
#pragma once

#include <string>

#include "alert/alert.hpp"
#include "flow/flow.hpp"
#include "flow/flow_record.hpp"
#include "log/eve.hpp"
#include "retain/kept.hpp"

namespace nids {

KeptFlow kept_flow(const Flow& flow, const std::string& class_name,
                   std::uint16_t community_id_seed);

// `eve` is the alert's. `then`: the flow at that time; null: the packet belongs to no flow.
KeptAlert kept_alert(const Alert& alert, const EveAlert& eve, const FlowRecord* then);

}  // namespace nids
