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

  bool wants(const Ends& ends, std::string_view class_name) const;
};

// A question as it came. Its filter is checked in steps, and is no part of the query before.
struct FlowQuestion {
  FlowQuery query;
  std::optional<UncheckedFilter> filter;

  // Trusts nothing of the line.
  static Result<FlowQuestion> parse(std::string_view line);
};

// Where a flow is: its table and its place there. The id tells whether the place was reused.
struct FlowPlace {
  std::uint64_t rank = 0;  // the larger, the earlier in the answer
  std::uint64_t id = 0;
  std::uint32_t place = 0;
  std::uint32_t table = 0;
};

struct FlowSelection {
  std::uint64_t total = 0;       // flows that the query wants
  std::vector<FlowPlace> flows;  // of them the first, in the query's order
};

// Finds the flows of a query in steps of some dozen microseconds, while the tables go on changing.
// A flow that begins or ends meanwhile may be found or not.
class FlowSearch {
 public:
  // All are used until it is over. `class_names` by class index.
  FlowSearch(std::vector<const FlowTable*> tables, const FlowQuery& query,
             const std::vector<std::string>& class_names);

  // The number of the table that the next step() reads; nullopt if it reads none.
  std::optional<std::size_t> table() const;
  // Returns whether there is more to do.
  bool step();
  FlowSelection take() { return std::move(selection_); }

 private:
  void look_at(const FlowTable& table, std::uint32_t place);

  std::vector<const FlowTable*> tables_;
  const FlowQuery& query_;
  const std::vector<std::string>& class_names_;
  std::uint64_t most_ = 0;
  FlowSelection selection_;
  std::size_t table_ = 0;  // the one that step() reads
  std::uint32_t next_place_ = 0;
  std::optional<std::size_t> unsorted_;  // the rest is in order; nothing: places are left
};

// All steps at once, for one table.
FlowSelection select_flows(const FlowTable& table, const FlowQuery& query,
                           const std::vector<std::string>& class_names);

}  // namespace nids
