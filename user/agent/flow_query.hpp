// SPDX-License-Identifier: Apache-2.0
// What `flows` asks for, as a client sends it and an agent answers it, and which flows that is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flow/flow_filter.hpp"
#include "flow/flow_table.hpp"
#include "nids/result.hpp"

namespace nids {

enum class FlowOrder { kBytes, kPackets, kAge };

struct FlowQuery {
  std::uint64_t top = 0;  // 0: all
  FlowOrder by = FlowOrder::kBytes;
  std::vector<std::string> classes;  // none: any, and flows of no class
  std::optional<FlowFilter> filter;
  bool follow = false;  // then changes as they come, too

  // One line of JSON without its end.
  std::string text() const;
  // Trusts nothing of the line.
  static Result<FlowQuery> parse(std::string_view line);

  bool wants(const Flow& flow, std::string_view class_name) const;
};

// The place of a flow in its table, and its id: a place is used again.
struct FlowPlace {
  std::uint64_t rank = 0;  // the larger, the earlier in the answer
  std::uint64_t id = 0;
  std::uint32_t place = 0;
};

struct FlowSelection {
  std::uint64_t total = 0;       // flows that the query wants
  std::vector<FlowPlace> flows;  // of them the first, in the query's order
};

// `class_names` by class index.
FlowSelection select_flows(const FlowTable& table, const FlowQuery& query,
                           const std::vector<std::string>& class_names);

}  // namespace nids
