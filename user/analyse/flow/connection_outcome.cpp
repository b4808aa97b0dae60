// SPDX-License-Identifier: Apache-2.0
#include "analyse/flow/connection_outcome.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace nids {
namespace {

constexpr unsigned kOfOne = (1u << NIDS_EVENTS_PER_SENDER) - 1;

unsigned events_of(const Flow& flow, nids_sender sender) {
  return sender == NIDS_FROM_HI ? flow.events >> NIDS_EVENTS_PER_SENDER & kOfOne
                                : flow.events & kOfOne;
}

HostKey key_of(const Flow& flow, const Ends& ends) {
  HostKey key;
  std::memcpy(key.source, ends.client, sizeof(key.source));
  std::memcpy(key.destination, ends.server, sizeof(key.destination));
  key.ifindex = flow.ifindex;
  std::memcpy(key.vlan, ends.vlan, sizeof(key.vlan));
  key.ip_version = ends.ip_version;
  key.l4_proto = ends.l4_proto;
  key.class_id = flow.record_class();
  key.tunnel = flow.tunnel_ends(flow.opener());
  return key;
}

}  // namespace

// TCP counts only from a SYN on: without it the originator is not certain.
ConnectionOutcome::Outcome ConnectionOutcome::outcome_of(const Flow& flow) {
  const nids_sender client = flow.opener();
  const nids_sender server = client == NIDS_FROM_LO ? NIDS_FROM_HI : NIDS_FROM_LO;
  if (flow.key.l4_proto == IPPROTO_UDP)
    return flow.has_sent(server) ? Outcome::kAnswered : Outcome::kOpen;
  if (flow.key.l4_proto != IPPROTO_TCP || (events_of(flow, client) & NIDS_EVENT_SYN) == 0)
    return Outcome::kNone;
  const unsigned answer = events_of(flow, server);
  if ((answer & ~unsigned{NIDS_EVENT_RST}) != 0) return Outcome::kAnswered;
  return answer != 0 ? Outcome::kRefused : Outcome::kOpen;
}

void ConnectionOutcome::publish(const Flow& flow, Outcome before, Outcome now, Context& context) {
  const Ends ends = flow.ends();
  HostEvent event{.key = key_of(flow, ends), .first = flow.start, .last = flow.last};
  event.started = before == Outcome::kNone;
  event.answered = now == Outcome::kAnswered;
  event.refused = now == Outcome::kRefused;
  event.unanswered = now == Outcome::kUnanswered;
  event.taken_back = before == Outcome::kUnanswered && now == Outcome::kAnswered;
  if (event.refused != 0 || event.unanswered != 0) event.failed_ports.add(ends.server_port);
  context.publish(std::move(event));
}

void ConnectionOutcome::on_flow(FlowRef ref, Flow& flow, FlowChange change, Context& context) {
  Outcome& state = outcomes_.of(ref);
  const Outcome before = state;
  Outcome now = outcome_of(flow);
  const bool is_end = change == FlowChange::kEnd;
  if (now == Outcome::kOpen && (is_end || before == Outcome::kUnanswered))
    now = Outcome::kUnanswered;
  const bool is_settled = before == Outcome::kRefused || before == Outcome::kAnswered;
  if (now != Outcome::kNone && now != before && !is_settled) {
    state = now;
    publish(flow, before, now, context);
    if (now == Outcome::kOpen) wait_for_answer(ref, flow, context);
  }
  if (is_end) outcomes_.end(ref);
}

void ConnectionOutcome::wait_for_answer(FlowRef ref, const Flow& flow, Context& context) {
  const auto wait_ns = static_cast<std::uint64_t>(std::chrono::nanoseconds(kWait).count());
  if (how_many_wait_ >= kMaxWaiting) return;  // judged when the flow ends
  const std::uint64_t due_ns = std::min(flow.start.ns, context.now().ns) + wait_ns;
  waiting_[std::clamp(due_ns / kSlot_ns, judged_, judged_ + kSlots - 1) % kSlots].push_back(ref);
  ++how_many_wait_;
}

// Judges at most kAtOnce flows. Returns whether none is left.
bool ConnectionOutcome::judge_some(std::vector<FlowRef>& due, std::size_t& left, Context& context) {
  for (; left > 0 && !due.empty(); --left) {
    const FlowRef ref = due.back();
    due.pop_back();
    --how_many_wait_;
    const Flow* flow = context.flow(ref);
    if (flow == nullptr) continue;  // judged when the flow ended
    Outcome& state = outcomes_.of(ref);
    if (state != Outcome::kOpen) continue;
    state = Outcome::kUnanswered;
    publish(*flow, Outcome::kOpen, Outcome::kUnanswered, context);
  }
  return due.empty();
}

void ConnectionOutcome::on_tick(Context& context) {
  const std::uint64_t now = context.now().ns / kSlot_ns;
  // After a step of the clock or a pause, all slots are due.
  if (now < judged_ || now > judged_ + kSlots) judged_ = now - std::min<std::uint64_t>(now, kSlots);
  std::size_t left = kAtOnce;
  while (judged_ < now) {
    if (!judge_some(waiting_[judged_ % kSlots], left, context)) return;
    ++judged_;
  }
}

}  // namespace nids
