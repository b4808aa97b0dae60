// SPDX-License-Identifier: Apache-2.0
// A flow as the JSON that agent, client and `flows --json` share, and back. Knows no socket.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "flow/flow_record.hpp"
#include "nids/result.hpp"

namespace nids {

// A record beside the name of its class, whose number is the agent's alone.
struct NamedFlow {
  FlowRecord record;
  std::string class_name;  // empty: of no class
};

// The shape of CLI.md. Times lose what is below a microsecond.
nlohmann::ordered_json flow_json(const FlowRecord& record, std::string_view class_name);

// What flow_json() made; keys that it doesn't know are passed over, as a newer agent may send them.
// `ifindex` and `class_id` aren't told. Says which key is wrong with anything else. Texts are as
// they came: printable() is the reader's.
Result<NamedFlow> parse_flow_json(const nlohmann::ordered_json& object);

// The objects `flow` and `tcp`, which EVE has too; `tcp` is empty where it is not TCP.
nlohmann::ordered_json flow_counts_json(const FlowRecord& record);
nlohmann::ordered_json flow_tcp_json(const FlowRecord& record);
void add_icmp(nlohmann::ordered_json& line, const FlowRecord& record);

}  // namespace nids
