// SPDX-License-Identifier: Apache-2.0
// What became of each connection: answered, refused or left unanswered. Tells the host analysers,
// from the flows alone. Raises no alert.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <vector>

#include "analyse/analyser.hpp"
#include "flow/flow_states.hpp"

namespace nids {

class ConnectionOutcome final : public Analyser {
 public:
  // Without an answer for so long a connection counts as unanswered, until the answer comes.
  static constexpr auto kWait = std::chrono::seconds(1);

  std::string_view name() const noexcept override { return "connection_outcome"; }
  Wants wants() const noexcept override { return {.flows = true, .packets = false, .ticks = true}; }
  void on_flow(FlowRef ref, Flow& flow, FlowChange change, Context& context) override;
  void on_tick(Context& context) override;

 private:
  enum class Outcome : std::uint8_t { kNone, kOpen, kUnanswered, kRefused, kAnswered };
  static constexpr std::uint64_t kSlot_ns = 100'000'000;
  // More than kWait takes, so that no slot holds two different times.
  static constexpr std::size_t kSlots = 16;
  static constexpr std::size_t kAtOnce = 1024;  // judgements in one call of on_tick()
  static constexpr std::size_t kMaxWaiting = 262'144;

  static Outcome outcome_of(const Flow& flow);
  static void publish(const Flow& flow, Outcome before, Outcome now, Context& context);
  void wait_for_answer(FlowRef ref, const Flow& flow, Context& context);
  bool judge_some(std::vector<FlowRef>& due, Context& context);

  FlowStates<Outcome> outcomes_;
  // A wheel of those that are judged later, by the slot of time in which they are.
  std::array<std::vector<FlowRef>, kSlots> waiting_;
  std::uint64_t judged_ = 0;  // all slots of time before this one
  std::size_t how_many_wait_ = 0;
};

}  // namespace nids
