// SPDX-License-Identifier: Apache-2.0
#include "flow/conn_state.hpp"

#include <algorithm>
#include <array>

#include "nids/abi/flow.h"

namespace nids {
namespace {

constexpr char kLetters[] = "SHADFR";  // by the number of the event's bit
constexpr std::uint64_t kEventMask = (1 << NIDS_HISTORY_EVENT_BITS) - 1;

// As a connection has them, where nobody knows better: number of the bit, and who.
constexpr std::array<FlowEvent, 12> kUsualOrder{{{true, NIDS_EVENT_SYN},
                                                 {false, NIDS_EVENT_SYN},
                                                 {false, NIDS_EVENT_SYN_ACK},
                                                 {true, NIDS_EVENT_SYN_ACK},
                                                 {true, NIDS_EVENT_ACK},
                                                 {true, NIDS_EVENT_DATA},
                                                 {false, NIDS_EVENT_ACK},
                                                 {false, NIDS_EVENT_DATA},
                                                 {true, NIDS_EVENT_FIN},
                                                 {false, NIDS_EVENT_FIN},
                                                 {true, NIDS_EVENT_RST},
                                                 {false, NIDS_EVENT_RST}}};

enum class Endpoint { kInactive, kSynSent, kSynAckSent, kPartial, kEstablished, kClosed, kReset };

struct Ends2 {
  Endpoint client = Endpoint::kInactive, server = Endpoint::kInactive;
  bool has_data = false;
};

bool is_silent(Endpoint end) { return end == Endpoint::kInactive || end == Endpoint::kPartial; }

void take_syn(const FlowEvent& one, Endpoint& self, Endpoint& peer) {
  if (self != Endpoint::kInactive && self != Endpoint::kPartial) return;
  if (one.by_client) {
    self = one.event == NIDS_EVENT_SYN ? Endpoint::kSynSent : Endpoint::kSynAckSent;
    return;
  }
  if (peer == Endpoint::kSynSent) peer = Endpoint::kEstablished;
  self = Endpoint::kEstablished;
}

void take_fin(Endpoint& self, Endpoint& peer, bool peer_closed_before_reset) {
  if (self == Endpoint::kReset || self == Endpoint::kClosed) return;
  self = Endpoint::kClosed;
  // FIN, then RST, is an ordinary end where the peer closes too.
  if (peer == Endpoint::kReset && peer_closed_before_reset) peer = Endpoint::kClosed;
}

void take_ack_or_data(const FlowEvent& one, Endpoint& self, Endpoint peer) {
  if (self != Endpoint::kInactive) return;
  // An acknowledgement of a SYN is no half of a connection yet.
  if (!one.by_client && one.event == NIDS_EVENT_ACK && peer == Endpoint::kSynSent) return;
  self = one.event == NIDS_EVENT_ACK && peer == Endpoint::kEstablished ? Endpoint::kEstablished
                                                                       : Endpoint::kPartial;
}

Ends2 ends_after(const std::vector<FlowEvent>& events) {
  Ends2 ends;
  bool client_closed = false, server_closed = false;
  for (const FlowEvent& one : events) {
    Endpoint& self = one.by_client ? ends.client : ends.server;
    Endpoint& peer = one.by_client ? ends.server : ends.client;
    switch (one.event) {
      case NIDS_EVENT_SYN:
      case NIDS_EVENT_SYN_ACK:
        take_syn(one, self, peer);
        break;
      case NIDS_EVENT_FIN:
        take_fin(self, peer, one.by_client ? server_closed : client_closed);
        (one.by_client ? client_closed : server_closed) = true;
        break;
      case NIDS_EVENT_RST:
        if (self != Endpoint::kClosed || peer != Endpoint::kClosed) self = Endpoint::kReset;
        break;
      default:
        ends.has_data = ends.has_data || one.event == NIDS_EVENT_DATA;
        take_ack_or_data(one, self, peer);
    }
  }
  return ends;
}

bool has(const std::vector<FlowEvent>& events, bool by_client, std::uint8_t event) {
  return std::ranges::any_of(events, [&](const FlowEvent& one) {
    return one.by_client == by_client && one.event == event;
  });
}

ConnState after_server_reset(const Ends2& ends) {
  const bool is_refused = ends.client == Endpoint::kSynSent ||
                          ends.client == Endpoint::kSynAckSent ||
                          (ends.client == Endpoint::kReset && !ends.has_data);
  if (is_refused) return ConnState::kREJ;
  return is_silent(ends.client) ? ConnState::kRSTRH : ConnState::kRSTR;
}

}  // namespace

std::vector<FlowEvent> flow_events(std::uint64_t history, std::uint16_t events, bool client_is_hi) {
  std::vector<FlowEvent> ordered;
  const auto add = [&](FlowEvent one) {
    if (!has(ordered, one.by_client, one.event)) ordered.push_back(one);
  };
  for (; (history & kEventMask) != 0; history >>= NIDS_HISTORY_EVENT_BITS) {
    const auto number = static_cast<unsigned>((history & kEventMask) - 1);
    if (number >= 2 * NIDS_EVENTS_PER_SENDER) continue;
    const bool by_hi = number >= NIDS_EVENTS_PER_SENDER;
    add({by_hi == client_is_hi, static_cast<std::uint8_t>(1u << number % NIDS_EVENTS_PER_SENDER)});
  }
  for (const FlowEvent& one : kUsualOrder) {
    const unsigned shift = one.by_client == client_is_hi ? NIDS_EVENTS_PER_SENDER : 0;
    if ((events >> shift & one.event) != 0) add(one);
  }
  return ordered;
}

std::string history_text(const std::vector<FlowEvent>& events) {
  std::string text;
  if (!events.empty() && !events.front().by_client) text = "^";
  for (const FlowEvent& one : events) {
    const auto number = static_cast<unsigned>(__builtin_ctz(one.event));
    const char letter = kLetters[number];
    text += one.by_client ? letter : static_cast<char>(letter - 'A' + 'a');
  }
  return text;
}

ConnState tcp_conn_state(const std::vector<FlowEvent>& events) {
  const Ends2 ends = ends_after(events);
  if (ends.server == Endpoint::kReset) return after_server_reset(ends);
  if (ends.client == Endpoint::kReset)
    return is_silent(ends.server) ? ConnState::kRSTOS0 : ConnState::kRSTO;
  const bool client_closed = ends.client == Endpoint::kClosed;
  const bool server_closed = ends.server == Endpoint::kClosed;
  if (client_closed && server_closed) return ConnState::kSF;
  if (client_closed) return is_silent(ends.server) ? ConnState::kSH : ConnState::kS2;
  if (server_closed) return is_silent(ends.client) ? ConnState::kSHR : ConnState::kS3;
  if (ends.client == Endpoint::kSynSent && ends.server == Endpoint::kInactive)
    return ConnState::kS0;
  if (ends.client == Endpoint::kEstablished && ends.server == Endpoint::kEstablished)
    return ConnState::kS1;
  return ConnState::kOTH;
}

ConnState udp_conn_state(bool by_client, bool by_server) {
  if (by_client) return by_server ? ConnState::kSF : ConnState::kS0;
  return by_server ? ConnState::kSHR : ConnState::kOTH;
}

TcpState tcp_state(const std::vector<FlowEvent>& events) {
  const bool client_closed = has(events, true, NIDS_EVENT_FIN);
  const bool server_closed = has(events, false, NIDS_EVENT_FIN);
  if (has(events, true, NIDS_EVENT_RST) || has(events, false, NIDS_EVENT_RST))
    return TcpState::kClosed;
  if (client_closed && server_closed) return TcpState::kTimeWait;
  if (client_closed) return TcpState::kFinWait1;
  if (server_closed) return TcpState::kCloseWait;
  const bool is_opening = has(events, true, NIDS_EVENT_SYN);
  const bool is_answered = has(events, false, NIDS_EVENT_SYN_ACK);
  const bool is_talking = has(events, true, NIDS_EVENT_ACK) || has(events, true, NIDS_EVENT_DATA) ||
                          has(events, false, NIDS_EVENT_DATA);
  if (is_opening && !is_answered && !is_talking) return TcpState::kSynSent;
  if (is_answered && !is_talking) return TcpState::kSynReceived;
  return is_talking || has(events, false, NIDS_EVENT_ACK) ? TcpState::kEstablished
                                                          : TcpState::kNone;
}

}  // namespace nids
