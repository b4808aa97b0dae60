// SPDX-License-Identifier: Apache-2.0
// Any text as the agent's answer: never a crash, and a flow that was read is the same one when it
// is told and read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "log/flow_json.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto object = nlohmann::ordered_json::parse(data, data + size, nullptr, false);
  const auto flow = nids::parse_flow_json(object);
  if (!flow) return 0;
  const auto told = nids::flow_json(flow->record, flow->class_name);
  // Texts made safe may be longer than what is read.
  const auto again = nids::parse_flow_json(told);
  if (again && nids::flow_json(again->record, again->class_name) != told) std::abort();
  return 0;
}
