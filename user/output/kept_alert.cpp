// SPDX-License-Identifier: Apache-2.0
#include "output/kept_alert.hpp"

#include <nlohmann/json.hpp>

#include "log/eve_json.hpp"
#include "log/flow_json.hpp"

namespace nids {

KeptFlow kept_flow(const Flow& flow, const std::string& class_name,
                   std::uint16_t community_id_seed) {
  return {.id = flow.id,
          .community_id = flow.community_id(community_id_seed),
          .ends = flow.ends(),
          .class_name = class_name};
}

KeptAlert kept_alert(const Alert& alert, const EveAlert& eve, const FlowRecord* then) {
  std::string record = "{\"alert\":" + eve.line();
  record.back() = ',';  // in place of the line's end
  const auto flow = then ? flow_json(*then, alert.class_name) : nlohmann::ordered_json();
  record += "\"flow\":" + json_text(flow) + '}';
  return {.id = 0,
          .time = alert.time,
          .signature_id = alert.signature_id,
          .kind = alert.kind,
          .severity = alert.severity,
          .signature = alert.signature,
          .flow = {.id = alert.flow_id,
                   .community_id = alert.community_id,
                   .ends = alert.ends,
                   .class_name = alert.class_name},
          .record = std::move(record)};
}

}  // namespace nids
