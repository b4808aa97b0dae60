// SPDX-License-Identifier: Apache-2.0
#include "agent/flow_query.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace nids {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxClasses = 64;

const char* name_of(FlowOrder order) {
  return order == FlowOrder::kBytes ? "bytes" : order == FlowOrder::kPackets ? "packets" : "age";
}

std::optional<FlowOrder> order_named(const std::string& name) {
  for (const FlowOrder order : {FlowOrder::kBytes, FlowOrder::kPackets, FlowOrder::kAge})
    if (name == name_of(order)) return order;
  return std::nullopt;
}

Error refused(const char* what) {
  return {.action = "read the question", .reason = std::string("its ") + what + " is none"};
}

// The larger, the earlier in the answer.
std::uint64_t rank_of(const Flow& flow, FlowOrder by) {
  if (by == FlowOrder::kAge) return ~flow.start.ns;
  const FlowCounts counts = flow.all_counts();
  return by == FlowOrder::kBytes ? counts.bytes[0] + counts.bytes[1]
                                 : counts.packets[0] + counts.packets[1];
}

}  // namespace

std::string FlowQuery::text() const {
  Json line{{"command", "flows"}, {"top", top}, {"by", name_of(by)}, {"follow", follow}};
  if (!classes.empty()) line["classes"] = classes;
  if (filter) line["filter"] = filter->text();
  return line.dump();
}

Result<FlowQuery> FlowQuery::parse(std::string_view line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object() || json.value("command", Json()) != "flows") return refused("command");
  FlowQuery query;
  if (const Json top = json.value("top", Json(0u)); top.is_number_unsigned())
    query.top = top.get<std::uint64_t>();
  else
    return refused("top");
  const Json by = json.value("by", Json("bytes"));
  const auto order = by.is_string() ? order_named(by.get<std::string>()) : std::nullopt;
  if (!order) return refused("order");
  query.by = *order;
  const Json follow = json.value("follow", Json(false));
  if (!follow.is_boolean()) return refused("follow");
  query.follow = follow.get<bool>();
  const Json classes = json.value("classes", Json::array());
  if (!classes.is_array() || classes.size() > kMaxClasses) return refused("list of classes");
  for (const Json& one : classes) {
    if (!one.is_string()) return refused("class");
    query.classes.push_back(one.get<std::string>());
  }
  if (const Json filter = json.value("filter", Json()); filter.is_string()) {
    auto parsed = FlowFilter::parse(filter.get<std::string>());
    if (!parsed) return parsed.error();
    query.filter = std::move(*parsed);
  } else if (!filter.is_null()) {
    return refused("filter");
  }
  return query;
}

bool FlowQuery::wants(const Flow& flow, std::string_view class_name) const {
  if (!classes.empty() && std::ranges::find(classes, class_name) == classes.end()) return false;
  return !filter || filter->matches(flow.ends());
}

FlowSelection select_flows(const FlowTable& table, const FlowQuery& query,
                           const std::vector<std::string>& class_names) {
  FlowSelection selection;
  std::vector<FlowPlace>& flows = selection.flows;
  // No more than are asked for: all of a million would take 24 MB of the agent.
  const std::uint64_t most = query.top == 0 ? table.size() : query.top;
  flows.reserve(std::min<std::uint64_t>(most, table.size()));
  const auto is_before = [](const FlowPlace& a, const FlowPlace& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.id < b.id;
  };
  table.each([&](std::uint32_t place, const Flow& flow) {
    const std::size_t index = std::min<std::size_t>(flow.record_class(), class_names.size() - 1);
    if (!query.wants(flow, class_names[index])) return;
    ++selection.total;
    const FlowPlace one{.rank = rank_of(flow, query.by), .id = flow.id, .place = place};
    if (flows.size() < most) {
      flows.push_back(one);
      if (flows.size() == most) std::ranges::make_heap(flows, is_before);
    } else if (is_before(one, flows.front())) {
      std::ranges::pop_heap(flows, is_before);
      flows.back() = one;
      std::ranges::push_heap(flows, is_before);
    }
  });
  std::ranges::sort(flows, is_before);
  return selection;
}

}  // namespace nids
