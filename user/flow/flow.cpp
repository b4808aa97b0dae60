// SPDX-License-Identifier: Apache-2.0
#include "flow/flow.hpp"

#include <netinet/in.h>

#include <cstring>
#include <utility>

#include "flow/conn_state.hpp"
#include "net/community_id.hpp"
#include "net/tcp_flags.hpp"

namespace nids {
namespace {

constexpr std::uint16_t kSystemPortLast = 1023;  // RFC 6335 section 6

nids_sender other_side(nids_sender sender) {
  return sender == NIDS_FROM_LO ? NIDS_FROM_HI : NIDS_FROM_LO;
}

bool is_icmp(const nids_flow_key& key) {
  return key.l4_proto == IPPROTO_ICMP || key.l4_proto == IPPROTO_ICMPV6;
}

// Of an echo the identifier stands for both ports; any other message says what it is there.
bool is_echo(const nids_flow_key& key) { return key.lo_port == key.hi_port; }

bool asks_for_echo(const nids_flow_key& key, std::uint8_t types) {
  return key.l4_proto == IPPROTO_ICMP ? (types & 8) != 0 : types == 128;
}

// An ICMP error is counted as the server's, but is no answer.
bool has_spoken(const Flow& flow, bool client) {
  const unsigned shift = flow.opener_is_hi == client ? NIDS_EVENTS_PER_SENDER : 0;
  return (flow.events >> shift & NIDS_EVENT_DATA) != 0;
}

bool has_answer(const Flow& flow) {
  if (is_icmp(flow.key)) return flow.has_sent(NIDS_FROM_LO) && flow.has_sent(NIDS_FROM_HI);
  return has_spoken(flow, true) && has_spoken(flow, false);
}

FlowState state_of(const Flow& flow, const FlowRecord& record) {
  if (flow.is_closed()) return FlowState::kClosed;
  if (flow.is_bypassed) return FlowState::kBypassed;
  if (flow.key.l4_proto == IPPROTO_TCP)
    return record.tcp_state == TcpState::kNone || record.tcp_state == TcpState::kSynSent ||
                   record.tcp_state == TcpState::kSynReceived
               ? FlowState::kNew
               : FlowState::kEstablished;
  return has_answer(flow) ? FlowState::kEstablished : FlowState::kNew;
}

void add(FlowCounts& sum, const FlowCounts& more) {
  for (int i = 0; i < 2; ++i) {
    sum.packets[i] += more.packets[i];
    sum.bytes[i] += more.bytes[i];
  }
}

// Returns what is beyond the low 32 bits.
std::uint64_t add_low(std::uint32_t& low, std::uint64_t more) {
  const std::uint64_t sum = low + more;
  low = static_cast<std::uint32_t>(sum);
  return sum - low;
}

}  // namespace

Flow::Rare& Flow::make_rare() {
  if (!rare_) rare_ = std::make_unique<Rare>();
  return *rare_;
}

Flow::Long& Flow::make_long() {
  Rare& rare = make_rare();
  if (!rare.longer) rare.longer = std::make_unique<Long>();
  return *rare.longer;
}

FlowCounts Flow::counts() const {
  FlowCounts counts{{packets_[0], packets_[1]}, {bytes_[0], bytes_[1]}};
  if (const Long* more = find_long()) add(counts, more->high);
  return counts;
}

bool Flow::has_counts() const {
  const FlowCounts now = counts();
  return now.packets[0] + now.packets[1] != 0;
}

void Flow::count(int sender, std::uint64_t packets, std::uint64_t bytes) {
  const std::uint64_t high_packets = add_low(packets_[sender], packets);
  const std::uint64_t high_bytes = add_low(bytes_[sender], bytes);
  if ((high_packets | high_bytes) == 0) return;
  FlowCounts& high = make_long().high;
  high.packets[sender] += high_packets;
  high.bytes[sender] += high_bytes;
}

void Flow::clear_counts() {
  for (int i = 0; i < 2; ++i) packets_[i] = bytes_[i] = 0;
  if (find_long()) rare_->longer->high = {};
}

void Flow::remember_counts() { add(make_long().told_counts, counts()); }

FlowCounts Flow::all_counts() const {
  FlowCounts all = counts();
  if (const Long* more = find_long()) add(all, more->told_counts);
  return all;
}

WallTime Flow::told() const {
  const Long* more = find_long();
  return more ? more->told : WallTime{};
}

void Flow::set_told(WallTime time) { make_long().told = time; }

std::uint64_t Flow::came_up_bytes(nids_sender sender) const {
  return rare_ ? rare_->came_up_bytes[sender] : 0;
}

std::uint64_t Flow::count_came_up(nids_sender sender, std::uint64_t bytes) {
  std::uint64_t& sum = make_rare().came_up_bytes[sender];
  return std::exchange(sum, sum + bytes);
}

std::uint8_t Flow::class_if(nids_sender sender) const {
  return sender == opener() ? class_id : other_class();
}

void Flow::learn_classes(std::uint8_t if_lo_opened, std::uint8_t if_hi_opened) {
  const std::uint8_t own = opener_is_hi ? if_hi_opened : if_lo_opened;
  const std::uint8_t other = opener_is_hi ? if_lo_opened : if_hi_opened;
  if (class_id == 0) class_id = own;
  if (other != 0 && other_class() == 0) make_rare().other_class = other;
}

void Flow::change_classes(std::span<const std::uint8_t, 256> to) {
  class_id = to[class_id];
  if (rare_) rare_->other_class = to[rare_->other_class];
}

void Flow::set_opener(nids_sender sender) {
  if (sender == opener()) return;
  opener_is_hi = sender == NIDS_FROM_HI;
  if (class_id != other_class()) std::swap(class_id, make_rare().other_class);
}

bool Flow::has_port_of_client(nids_sender sender) const {
  const nids_sender other = other_side(sender);
  const bool has_class = class_if(sender) != 0;
  if (has_class != (class_if(other) != 0)) return has_class;
  const std::uint16_t own_port = sender == NIDS_FROM_HI ? key.hi_port : key.lo_port;
  const std::uint16_t other_port = sender == NIDS_FROM_HI ? key.lo_port : key.hi_port;
  return own_port > other_port;
}

std::uint8_t Flow::record_class() const {
  return class_id == 0 && is_flagged(other_side(opener())) ? other_class() : class_id;
}

void Flow::came_up(nids_sender sender) {
  std::uint8_t& senders_up = make_rare().came_up;
  senders_up = static_cast<std::uint8_t>(senders_up | 1u << sender);
}

void Flow::learn_handshake(nids_sender sender, std::uint8_t flags,
                           const std::optional<Handshake::Numbers>& numbers) {
  make_rare().handshake.add(sender, flags, numbers);
}

// The side that most facts name is the opener: a SYN, a SYN-ACK to it, and a proof, which counts
// twice. Events are of all packets of the flow, the handshake only of those that reached the agent.
void Flow::decide_opener() {
  if (key.l4_proto != IPPROTO_TCP) return;
  const Handshake seen = handshake();
  int votes[2]{};
  for (const nids_sender one : {NIDS_FROM_LO, NIDS_FROM_HI}) {
    const auto events_from = [this](nids_sender sender) {
      return events >> (sender == NIDS_FROM_HI ? NIDS_EVENTS_PER_SENDER : 0);
    };
    const bool has_syn = seen.has_syn(one) || (events_from(one) & NIDS_EVENT_SYN) != 0;
    const bool is_answered = (events_from(other_side(one)) & NIDS_EVENT_SYN_ACK) != 0 ||
                             (seen.names(one) && !seen.has_syn(one));
    votes[one] = (seen.proves(one) ? 2 : 0) + (has_syn ? 1 : 0) + (is_answered ? 1 : 0);
  }
  if (votes[NIDS_FROM_LO] != votes[NIDS_FROM_HI])
    set_opener(votes[NIDS_FROM_HI] > votes[NIDS_FROM_LO] ? NIDS_FROM_HI : NIDS_FROM_LO);
}

unsigned Flow::known_senders() const { return (rare_ ? rare_->came_up : 0u) | senders; }

bool Flow::is_proved(nids_sender opener) const {
  const Handshake seen = handshake();
  return seen.proves(opener) && !seen.proves(other_side(opener));
}

bool Flow::may_be_opener(nids_sender sender) const {
  const nids_sender other = other_side(sender);
  // Without a handshake both sides may be the opener once both have sent. If both directions have
  // the same class, it is reported once.
  const bool is_possible = known_senders() == 3 && class_if(sender) != class_if(other);
  // The kernel may remember a datagram of an opener of which this agent knows nothing.
  if (key.l4_proto != IPPROTO_TCP)
    return sender == opener() || is_possible || known_senders() == 1u << sender;
  const Handshake seen = handshake();
  if (seen.names(sender) || seen.proves(sender)) return true;
  if (seen.proves(other)) return false;
  if (sender == opener() && !seen.names(other)) return true;
  // The beginning was not seen, or it may have been forged. A system port without a class is the
  // server's.
  const std::uint16_t own_port = sender == NIDS_FROM_HI ? key.hi_port : key.lo_port;
  const std::uint16_t other_port = sender == NIDS_FROM_HI ? key.lo_port : key.hi_port;
  const bool is_server =
      own_port <= kSystemPortLast && other_port > kSystemPortLast && class_if(other) == 0;
  return is_possible && !is_server;
}

bool Flow::has_unknown_direction() const {
  return flagged != 0 && !is_proved(NIDS_FROM_LO) && !is_proved(NIDS_FROM_HI) &&
         (is_flagged(other_side(opener())) || flagged == 3);
}

nids_flow_tunnel Flow::tunnel() const {
  return rare_ && rare_->tunnel ? *rare_->tunnel : nids_flow_tunnel{};
}

void Flow::set_tunnel(const nids_flow_tunnel& tunnel) {
  if (key.tunnel != NIDS_TUNNEL_NONE)
    make_rare().tunnel = std::make_unique<nids_flow_tunnel>(tunnel);
}

bool Flow::is_of(const FlowIdentity& flow) const {
  if (std::memcmp(&key, &flow.key, sizeof(key)) != 0) return false;  // no padding in a key
  if (key.tunnel == NIDS_TUNNEL_NONE) return true;
  const nids_flow_tunnel own = tunnel();
  return std::memcmp(&own, &flow.tunnel, sizeof(own)) == 0;
}

void Flow::set_older(std::uint32_t place) {
  if (place != older()) make_rare().older = place;
}

void Flow::set_newer(std::uint32_t place) {
  if (place != newer()) make_rare().newer = place;
}

Ends Flow::ends(nids_sender opened_by) const {
  const bool client_is_hi = opened_by == NIDS_FROM_HI;
  Ends ends;
  std::memcpy(ends.client, client_is_hi ? key.hi_addr : key.lo_addr, sizeof(ends.client));
  std::memcpy(ends.server, client_is_hi ? key.lo_addr : key.hi_addr, sizeof(ends.server));
  ends.client_port = client_is_hi ? key.hi_port : key.lo_port;
  ends.server_port = client_is_hi ? key.lo_port : key.hi_port;
  ends.vlan[0] = key.vlan[0];
  ends.vlan[1] = key.vlan[1];
  ends.l4_proto = key.l4_proto;
  ends.ip_version = key.ip_version;
  return ends;
}

TunnelEnds Flow::tunnel_ends(nids_sender opened_by) const {
  const nids_flow_tunnel around = tunnel();
  const bool client_is_hi = opened_by == NIDS_FROM_HI;
  TunnelEnds ends;
  std::memcpy(ends.client, client_is_hi ? around.hi_addr : around.lo_addr, sizeof(ends.client));
  std::memcpy(ends.server, client_is_hi ? around.lo_addr : around.hi_addr, sizeof(ends.server));
  ends.id = around.id;
  ends.kind = key.tunnel;
  if (key.tunnel != NIDS_TUNNEL_NONE)
    ends.ip_version = (around.bits & NIDS_TUNNEL_OUTER_IPV6) != 0 ? 6 : 4;
  ends.has_id = (around.bits & NIDS_TUNNEL_HAS_ID) != 0;
  ends.is_vxlan_linux = (around.bits & NIDS_TUNNEL_VXLAN_LINUX) != 0;
  return ends;
}

bool Flow::is_closed() const {
  return key.l4_proto == IPPROTO_TCP && (((tcp_flags[0] | tcp_flags[1]) & kTcpRst) != 0 ||
                                         (tcp_flags[0] & tcp_flags[1] & kTcpFin) != 0);
}

std::optional<IcmpTypes> Flow::icmp() const {
  if (!is_icmp(key)) return std::nullopt;
  const bool is_answered = has_sent(opener_is_hi ? NIDS_FROM_LO : NIDS_FROM_HI);
  IcmpTypes types;
  if (is_echo(key)) {
    const std::uint8_t request = key.l4_proto == IPPROTO_ICMP ? 8 : 128;
    const std::uint8_t reply = key.l4_proto == IPPROTO_ICMP ? 0 : 129;
    const bool asks = asks_for_echo(key, tcp_flags[opener_is_hi]);
    types.type = asks ? request : reply;
    if (is_answered) {
      types.response_type = asks ? reply : request;
      types.response_code = 0;
    }
    return types;
  }
  const std::uint16_t said = opener_is_hi ? key.hi_port : key.lo_port;
  const std::uint16_t answer = opener_is_hi ? key.lo_port : key.hi_port;
  types.type = static_cast<std::uint8_t>(said >> 8);
  types.code = static_cast<std::uint8_t>(said);
  if (is_answered && answer != 0) {
    types.response_type = static_cast<std::uint8_t>(answer >> 8);
    types.response_code = static_cast<std::uint8_t>(answer);
  }
  return types;
}

std::string Flow::community_id(std::uint16_t seed) const {
  const Ends both = ends();
  if (const auto types = icmp())
    return nids::community_id(both.client, both.server, types->type, types->code, both.l4_proto,
                              both.ip_version, seed);
  return nids::community_id(both.client, both.server, both.client_port, both.server_port,
                            both.l4_proto, both.ip_version, seed);
}

FlowPhase Flow::phase_now() const {
  switch (key.l4_proto) {
    case IPPROTO_TCP: {
      if (is_closed()) return FlowPhase::kTcpClosed;
      const unsigned shift = opener_is_hi ? 0 : NIDS_EVENTS_PER_SENDER;
      const bool is_answered = (events >> shift & ((1 << NIDS_EVENTS_PER_SENDER) - 1)) != 0;
      return is_answered ? FlowPhase::kTcpEstablished : FlowPhase::kTcpNew;
    }
    case IPPROTO_UDP:
      return FlowPhase::kUdp;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
      return FlowPhase::kIcmp;
    default:
      return FlowPhase::kOther;
  }
}

FlowRecord Flow::record(FlowReason reason, std::uint16_t community_id_seed,
                        const FlowCounts& counts) const {
  FlowRecord out{.id = id, .ifindex = link, .ends = ends()};
  const int client = opener_is_hi ? NIDS_FROM_HI : NIDS_FROM_LO;
  for (int i = 0; i < 2; ++i) {
    const int sender = i == 0 ? client : 1 - client;
    out.packets[i] = counts.packets[sender];
    out.bytes[i] = counts.bytes[sender];
    if (key.l4_proto == IPPROTO_TCP) out.tcp_flags[i] = tcp_flags[sender];
  }
  out.community_id = community_id(community_id_seed);
  out.start = start;
  out.end = last;
  out.class_id = record_class();
  out.has_unknown_direction = has_unknown_direction();
  out.tunnel = tunnel_ends(opener());
  out.is_alerted = is_alerted;
  out.is_continued = is_continued;
  out.reason = reason;
  out.icmp = icmp();
  const auto ordered = flow_events(history, events, opener_is_hi);
  out.history = history_text(ordered);
  if (key.l4_proto == IPPROTO_TCP) {
    out.conn_state = tcp_conn_state(ordered);
    out.tcp_state = tcp_state(ordered);
  } else if (!is_icmp(key)) {
    out.conn_state = udp_conn_state(has_spoken(*this, true), has_spoken(*this, false));
  }
  out.state = state_of(*this, out);
  return out;
}

}  // namespace nids
