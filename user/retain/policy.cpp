// SPDX-License-Identifier: Apache-2.0
#include "retain/policy.hpp"

#include <algorithm>
#include <utility>

namespace nids {
namespace {

using Kind = KeptAmount::Kind;

// What comes up otherwise than the first pass was told is on its way, or from a CPU that had no
// slot of the flow then: it is told again each time that so many bytes have come.
constexpr std::uint64_t kTellAgain_bytes = 16 * 1024;

bool comes_without_end(nids_reason reason) {
  return reason == NIDS_REASON_CAPTURE || reason == NIDS_REASON_HEADERS;
}

}  // namespace

CapturePolicy::CapturePolicy(Limits limits) : limits_(std::move(limits)) {
  limits_.classes.resize(std::max<std::size_t>(limits_.classes.size(), 1));
  classes_ = std::make_shared<const std::vector<nids_class>>(std::move(limits_.classes));
  for (KeptAmount& amount : limits_.by_severity)
    amount.depth_bytes = std::min(amount.depth_bytes, limits_.flow_depth_bytes);
  limits_.by_severity[0] = {};
}

const nids_class& CapturePolicy::class_if(const Flow& flow, nids_sender opener) const {
  const std::size_t class_id = flow.class_if(opener);
  return (*classes_)[class_id < classes_->size() ? class_id : 0];
}

// By the class alone. Flows without a class are inspected, but only an alert makes them stored. A
// class that was not flagged counts only for opener().
KeptAmount CapturePolicy::amount_if(const Flow& flow, nids_sender opener) const {
  const nids_class& own = class_if(flow, opener);
  const bool is_flagged = flow.class_if(opener) != 0 && flow.is_flagged(opener);
  if (!is_flagged && opener != flow.opener()) return {};
  switch (own.interest) {
    case NIDS_INTEREST_CAPTURE:
      return {Kind::kWhole, limits_.flow_depth_bytes};
    case NIDS_INTEREST_HEADERS:
      return {Kind::kHeaders, limits_.flow_depth_bytes};
    case NIDS_INTEREST_IDENTIFY:  // it is captured once it is flagged
      if (is_flagged) return {Kind::kWhole, limits_.flow_depth_bytes};
      return {};
    case NIDS_INTEREST_INSPECT:
      if (is_flagged)
        return {Kind::kWhole, std::min<std::uint64_t>(own.depth_bytes, limits_.flow_depth_bytes)};
      return {};
    default:
      return {};
  }
}

KeptAmount CapturePolicy::own_amount(const Flow& flow) const {
  return std::max(amount_if(flow, NIDS_FROM_LO), amount_if(flow, NIDS_FROM_HI));
}

// The depth up to which the first pass sends packets of the flow.
std::uint32_t CapturePolicy::inspected_bytes(const Flow& flow) const {
  return std::max(class_if(flow, NIDS_FROM_LO).depth_bytes,
                  class_if(flow, NIDS_FROM_HI).depth_bytes);
}

bool CapturePolicy::is_identified(const Flow& flow) const {
  for (const nids_sender opener : {NIDS_FROM_LO, NIDS_FROM_HI}) {
    const bool is_own = opener == flow.opener() || flow.is_flagged(opener);
    if (is_own && class_if(flow, opener).interest == NIDS_INTEREST_IDENTIFY) return true;
  }
  return false;
}

// Whether a handshake proves an opener whose class wants nothing, while the first pass sends
// packets for the class of the other direction.
bool CapturePolicy::is_refused(const Flow& flow) const {
  const nids_sender opener = flow.opener();
  const nids_sender other = opener == NIDS_FROM_LO ? NIDS_FROM_HI : NIDS_FROM_LO;
  const auto interest = class_if(flow, opener).interest;
  return flow.class_if(other) != 0 && flow.is_proved(opener) && !flow.may_be_opener(other) &&
         (interest == NIDS_INTEREST_COUNT || interest == NIDS_INTEREST_BYPASS);
}

KeptAmount CapturePolicy::amount_of(const Flow& flow) const {
  return std::max(own_amount(flow), raised_amount(flow));
}

bool CapturePolicy::raise(Flow& flow, AlertKind kind, int severity) const {
  const auto level = static_cast<std::uint8_t>(std::clamp(severity, 1, 3));
  if (flow.severity == 0 || level < flow.severity) flow.severity = level & 3;
  if (kind != AlertKind::kFlaggedProtocol) {  // a flagged protocol's alerts follow its class
    if (limits_.by_severity[level] <= amount_of(flow)) return false;
    flow.kept_as = level & 3;
    return true;
  }
  if (flow.kept_as != 0 && own_amount(flow) > raised_amount(flow)) {
    flow.kept_as = 0;  // its class wants more than an alert did before
    return true;
  }
  return flow.kept_as == 0 && is_identified(flow);
}

CapturePolicy::Verdict CapturePolicy::judge(const Packet& packet, Flow& flow,
                                            bool is_evidence) const {
  const std::uint64_t before = flow.count_came_up(packet.sender, packet.wire_len);
  const std::uint64_t seen = before + packet.wire_len;
  const KeptAmount amount = amount_of(flow);
  const bool is_endless = comes_without_end(packet.reason);
  const bool was_refused = flow.is_refused;
  flow.is_refused = is_refused(flow);
  if (amount.kind == Kind::kNothing && flow.severity == 0 && !is_evidence && !is_endless) {
    // On two CPUs up to twice the depth comes up.
    const bool is_beyond = packet.reason == NIDS_REASON_INSPECT && before >= inspected_bytes(flow);
    // The first pass cancels the command at each SYN and SYN-ACK, so it is sent again.
    const bool is_news = !was_refused || packet.reason == NIDS_REASON_HANDSHAKE;
    return {is_beyond ? Fate::kLeave : Fate::kHold, flow.is_refused ? is_news : was_refused};
  }
  // An agent before may have had it captured, for an alert that this one knows nothing of.
  const std::uint64_t depth =
      amount.kind == Kind::kNothing ? limits_.flow_depth_bytes : amount.depth_bytes;
  const bool reaches_depth = before < depth && seen >= depth;
  const bool is_much = before / kTellAgain_bytes != seen / kTellAgain_bytes;
  const bool is_untold = flow.kept_as != 0 && !is_endless && is_much;
  const bool is_late = before >= depth && is_much;
  const bool is_kept = before < depth || is_evidence || packet.reason == NIDS_REASON_FINDING;
  return {is_kept ? Fate::kKeep : Fate::kLeave, is_untold || (was_refused && !flow.is_refused) ||
                                                    (is_endless && (reaches_depth || is_late))};
}

std::uint8_t CapturePolicy::word_on(const Flow& flow) const {
  const KeptAmount own = own_amount(flow), raised = raised_amount(flow);
  const KeptAmount amount = std::max(own, raised);
  const std::uint64_t depth =
      amount.kind == Kind::kNothing ? limits_.flow_depth_bytes : amount.depth_bytes;
  unsigned word = NIDS_COMMAND_NONE;
  if (raised > own)
    word = raised.kind == Kind::kHeaders ? NIDS_INTEREST_HEADERS : NIDS_INTEREST_CAPTURE;
  else if (is_identified(flow) && own.kind != Kind::kNothing)
    word = NIDS_INTEREST_CAPTURE;
  else if (is_refused(flow))
    word = NIDS_INTEREST_COUNT;
  if (flow.came_up_bytes(NIDS_FROM_LO) >= depth) word |= NIDS_COMMAND_STOP_LO;
  if (flow.came_up_bytes(NIDS_FROM_HI) >= depth) word |= NIDS_COMMAND_STOP_HI;
  return static_cast<std::uint8_t>(word);
}

}  // namespace nids
