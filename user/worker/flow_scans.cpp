// SPDX-License-Identifier: Apache-2.0
#include "worker/flow_scans.hpp"

#include <algorithm>
#include <utility>

namespace nids {

FlowScans::FlowScans(Look look, Report report, Now now)
    : look_(std::move(look)),
      report_(std::move(report)),
      now_(std::move(now)),
      next_(now_() + kEvery) {}

void FlowScans::go_on(bool has_more) {
  const Time start = now_();
  const bool may_wait = has_more || !is_under_way_;
  if (may_wait && start < next_) return;
  if (!is_under_way_) {
    began_ = start;
    unpaid_ = {};
    is_under_way_ = true;
  }
  const bool is_look = !is_reporting_;
  if (is_look)
    is_reporting_ = look_(kSlots);
  else
    is_under_way_ = is_reporting_ = !report_(kFlows);
  const Time end = now_();
  if (is_look && is_reporting_) last_sweep_ = end - began_;
  // While records wait, a pause follows each step. Otherwise one pause follows the complete scan.
  // Its length leaves the reports out, because they take seconds after a flood and come only once.
  if (has_more)
    next_ = start + kShare * (end - start);
  else if (is_look)
    unpaid_ += end - start;
  if (!is_under_way_) next_ = std::max({next_, began_ + kEvery, end + kShare * unpaid_});
}

}  // namespace nids
