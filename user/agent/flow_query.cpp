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

bool is_before(const FlowPlace& a, const FlowPlace& b) {
  return a.rank != b.rank ? a.rank > b.rank : a.id < b.id;
}

}  // namespace

std::string FlowQuery::text() const {
  Json line{{"command", "flows"}, {"top", top}, {"by", name_of(by)}, {"follow", follow}};
  if (!classes.empty()) line["classes"] = classes;
  if (filter) line["filter"] = filter->text();
  return line.dump();
}

Result<FlowQuestion> FlowQuestion::parse(std::string_view line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object() || json.value("command", Json()) != "flows") return refused("command");
  FlowQuestion question;
  FlowQuery& query = question.query;
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
    auto parsed = UncheckedFilter::parse(filter.get<std::string>());
    if (!parsed) return parsed.error();
    question.filter = std::move(*parsed);
  } else if (!filter.is_null()) {
    return refused("filter");
  }
  return question;
}

bool FlowQuery::wants(const Ends& ends, std::string_view class_name) const {
  if (!classes.empty() && std::ranges::find(classes, class_name) == classes.end()) return false;
  return !filter || filter->matches(ends);
}

FlowSearch::FlowSearch(std::vector<const FlowTable*> tables, const FlowQuery& query,
                       const std::vector<std::string>& class_names)
    : tables_(std::move(tables)), query_(query), class_names_(class_names) {
  for (const FlowTable* table : tables_) most_ += table->limit();
  // No more than are asked for: all of a million would take 24 MB of the agent.
  if (query.top != 0) most_ = query.top;
}

std::optional<std::size_t> FlowSearch::table() const {
  return table_ < tables_.size() ? std::optional(table_) : std::nullopt;
}

// The flows found are a heap whose first is the last of them in the query's order; at the end they
// are sorted by taking one after the other from it.
bool FlowSearch::step() {
  constexpr int kAtOnce = 64;
  if (const auto number = table()) {
    const FlowTable& table = *tables_[*number];
    for (int i = 0; i < kAtOnce && next_place_ < table.end_of_places(); ++i)
      look_at(table, next_place_++);
    if (next_place_ == table.end_of_places()) {
      ++table_;
      next_place_ = 0;
    }
    return true;
  }
  std::vector<FlowPlace>& flows = selection_.flows;
  if (!unsorted_) unsorted_ = flows.size();
  for (int i = 0; i < kAtOnce; ++i) {
    if (*unsorted_ < 2) return false;
    std::pop_heap(flows.begin(), flows.begin() + static_cast<std::ptrdiff_t>(*unsorted_),
                  is_before);
    --*unsorted_;
  }
  return true;
}

void FlowSearch::look_at(const FlowTable& table, std::uint32_t place) {
  const Flow* flow = table.at(place);
  if (!flow) return;
  const std::size_t index = std::min<std::size_t>(flow->record_class(), class_names_.size() - 1);
  if (!query_.wants(flow->ends(), class_names_[index])) return;
  ++selection_.total;
  std::vector<FlowPlace>& flows = selection_.flows;
  const FlowPlace one{.rank = rank_of(*flow, query_.by),
                      .id = flow->id,
                      .place = place,
                      .table = static_cast<std::uint32_t>(table_)};
  if (flows.size() >= most_) {
    if (!is_before(one, flows.front())) return;
    std::ranges::pop_heap(flows, is_before);
    flows.pop_back();
  }
  flows.push_back(one);
  std::ranges::push_heap(flows, is_before);
}

FlowSelection select_flows(const FlowTable& table, const FlowQuery& query,
                           const std::vector<std::string>& class_names) {
  FlowSearch search({&table}, query, class_names);
  while (search.step()) {
  }
  return search.take();
}

}  // namespace nids
