// SPDX-License-Identifier: Apache-2.0
#include "report/counters.hpp"

#include "report/counter_lists.hpp"

namespace nids {
namespace {

std::string_view suffix_of(Unit unit) {
  switch (unit) {
    case Unit::kNone:
      return "";
    case Unit::kPackets:
      return "_packets";
    case Unit::kBytes:
      return "_bytes";
    case Unit::kRecords:
      return "_records";
    case Unit::kFlows:
      return "_flows";
    case Unit::kSeconds:
      return "_seconds";
  }
  return "";
}

}  // namespace

const std::vector<Counter>& counters() {
  static const std::vector<Counter> all = [] {
    std::vector<Counter> list;
    for (const auto part : {packet_counters, flow_counters, ring_counters, output_counters,
                            ledger_counters, agent_counters})
      for (Counter& counter : part()) list.push_back(std::move(counter));
    return list;
  }();
  return all;
}

std::string metric_name(const Counter& counter) {
  return "nids_xdp_" + std::string(counter.metric) + std::string(suffix_of(counter.unit)) +
         (counter.kind == Kind::kCounter ? "_total" : "");
}

}  // namespace nids
