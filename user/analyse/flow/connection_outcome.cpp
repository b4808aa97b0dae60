// SPDX-License-Identifier: Apache-2.0
#include "analyse/flow/connection_outcome.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace nids {
namespace {

constexpr unsigned kOfOne = (1u << NIDS_EVENTS_PER_SENDER) - 1;
constexpr std::uint64_t kEventMask = (1u << NIDS_HISTORY_EVENT_BITS) - 1;

// Those of the slots that were read so far, and those that all CPUs share: the other direction may
// be in the slot of another CPU, which is read later.
unsigned all_events(const Flow& flow) {
  unsigned events = flow.events;
  for (std::uint64_t history = flow.history; (history & kEventMask) != 0;
       history >>= NIDS_HISTORY_EVENT_BITS)
    events |= 1u << ((history & kEventMask) - 1);
  return events;
}

unsigned events_of(const Flow& flow, nids_sender sender) {
  return all_events(flow) >> (sender == NIDS_FROM_HI ? NIDS_EVENTS_PER_SENDER : 0) & kOfOne;
}

nids_sender other(nids_sender sender) {
  return sender == NIDS_FROM_LO ? NIDS_FROM_HI : NIDS_FROM_LO;
}

std::uint64_t answer_due_ns(const Flow& flow, const Context& context) {
  const auto wait = std::chrono::nanoseconds(ConnectionOutcome::kWait);
  return std::min(flow.start.ns, context.now().ns) + static_cast<std::uint64_t>(wait.count());
}

// The side that alone sent a SYN. A SYN-ACK that the same side sends after it makes the opener of
// the flow doubtful, but asks nobody to connect.
nids_sender client_of(const Flow& flow) {
  const bool has_lo = (events_of(flow, NIDS_FROM_LO) & NIDS_EVENT_SYN) != 0;
  const bool has_hi = (events_of(flow, NIDS_FROM_HI) & NIDS_EVENT_SYN) != 0;
  if (has_lo == has_hi) return flow.opener();
  return has_lo ? NIDS_FROM_LO : NIDS_FROM_HI;
}

HostKey key_of(const Flow& flow, nids_sender client, const Ends& ends) {
  HostKey key;
  std::memcpy(key.source, ends.client, sizeof(key.source));
  std::memcpy(key.destination, ends.server, sizeof(key.destination));
  key.link = flow.link;
  std::memcpy(key.vlan, ends.vlan, sizeof(key.vlan));
  key.ip_version = ends.ip_version;
  key.l4_proto = ends.l4_proto;
  key.class_id = flow.class_if(client);
  key.tunnel = flow.tunnel_ends(client);
  return key;
}

}  // namespace

// Of TCP only what began with a SYN counts: what was under way before says nothing of who asked. An
// ICMP error is counted as the server's, but is no answer, and a RST may carry a text.
ConnectionOutcome::Outcome ConnectionOutcome::outcome_of(const Flow& flow) {
  const nids_sender client = client_of(flow);
  const unsigned answer = events_of(flow, other(client));
  if (flow.key.l4_proto == IPPROTO_UDP)
    return (answer & NIDS_EVENT_DATA) != 0 ? Outcome::kAnswered : Outcome::kOpen;
  if (flow.key.l4_proto != IPPROTO_TCP || (events_of(flow, client) & NIDS_EVENT_SYN) == 0)
    return Outcome::kNone;
  const bool has_reset = (answer & NIDS_EVENT_RST) != 0;
  const unsigned of_reset = has_reset ? NIDS_EVENT_RST | NIDS_EVENT_DATA : 0u;
  if ((answer & ~of_reset) != 0) return Outcome::kAnswered;
  return has_reset ? Outcome::kRefused : Outcome::kOpen;
}

void ConnectionOutcome::publish(const Flow& flow, Outcome before, Outcome now, Context& context) {
  const nids_sender client = client_of(flow);
  const Ends ends = flow.ends(client);
  HostEvent event;
  event.key = key_of(flow, client, ends);
  event.first = flow.start;
  event.last = flow.last;
  event.started = before == Outcome::kNone;
  event.answered = now == Outcome::kAnswered;
  event.refused = now == Outcome::kRefused;
  event.unanswered = now == Outcome::kUnanswered;
  if (before == Outcome::kUnanswered && now == Outcome::kAnswered)
    event.late_ports.add(ends.server_port);
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
  const bool is_settled =
      before == Outcome::kRefused || before == Outcome::kAnswered || before == Outcome::kOld;
  // Counted while no agent ran, so nobody knows what happened when.
  const bool is_old = before == Outcome::kNone && flow.last.ns + kOld_ns < context.now().ns;
  if (is_old) {
    state = Outcome::kOld;
  } else if (now != Outcome::kNone && now != before && !is_settled) {
    state = now;
    publish(flow, before, now, context);
    if (now == Outcome::kOpen) wait_until(ref, answer_due_ns(flow, context));
  }
  if (is_end) outcomes_.end(ref);
}

void ConnectionOutcome::wait_until(FlowRef ref, std::uint64_t due_ns) {
  if (how_many_wait_ >= kMaxWaiting) return;  // judged when the flow ends
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
    if (context.read_until(*flow).ns < answer_due_ns(*flow, context)) {
      // The first pass may have counted an answer that the worker has not read yet.
      wait_until(ref, context.now().ns + kSlot_ns);
      continue;
    }
    state = Outcome::kUnanswered;
    publish(*flow, Outcome::kOpen, Outcome::kUnanswered, context);
  }
  return due.empty();
}

void ConnectionOutcome::on_tick(Context& context) {
  const std::uint64_t now = context.now().ns / kSlot_ns;
  // After a step of the clock or a pause, all slots are due.
  if (now + kSlots < judged_ || now > judged_ + kSlots)
    judged_ = now - std::min<std::uint64_t>(now, kSlots);
  std::size_t left = kAtOnce;
  while (judged_ < now) {
    if (!judge_some(waiting_[judged_ % kSlots], left, context)) return;
    ++judged_;
  }
}

}  // namespace nids
