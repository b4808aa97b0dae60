// SPDX-License-Identifier: Apache-2.0
// Judges from the flow alone whether a connection was answered, refused or unanswered, and
// publishes the outcome to the host analysers. Raises no alert.
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
  // A connection without an answer for this long is unanswered. A later answer cancels that.
  static constexpr auto kWait = std::chrono::seconds(1);

  std::string_view name() const noexcept override { return "connection_outcome"; }
  Wants wants() const noexcept override { return {.flows = true, .packets = false, .ticks = true}; }
  void on_flow(FlowRef ref, Flow& flow, FlowChange change, Context& context) override;
  void on_tick(Context& context) override;

 private:
  enum class Outcome : std::uint8_t { kNone, kOpen, kUnanswered, kRefused, kAnswered, kOld };
  // Longer than the time between two scans, in a replay too.
  static constexpr std::uint64_t kOld_ns = 120'000'000'000;
  static constexpr std::uint64_t kSlot_ns = 100'000'000;
  // More slots than kWait needs, so that no slot holds two different times.
  static constexpr std::size_t kSlots = 16;
  static constexpr std::size_t kAtOnce = 1024;  // judgements in a call of on_tick()
  static constexpr std::size_t kMaxWaiting = 262'144;

  static Outcome outcome_of(const Flow& flow);
  static void publish(const Flow& flow, Outcome before, Outcome now, Context& context);
  void wait_until(FlowRef ref, std::uint64_t due_ns);
  bool judge_some(std::vector<FlowRef>& due, std::size_t& left, Context& context);

  FlowStates<Outcome> outcomes_;
  // A timer wheel of the flows that wait for an answer.
  std::array<std::vector<FlowRef>, kSlots> waiting_;
  std::uint64_t judged_ = 0;  // slots before this one are done
  std::size_t how_many_wait_ = 0;
};

}  // namespace nids
