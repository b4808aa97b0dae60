// SPDX-License-Identifier: Apache-2.0
// What became of a connection, told by its first events and their order. Keeps nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "flow/flow_record.hpp"

namespace nids {

// One thing that an end did for the first time: a bit of NIDS_EVENT_*.
struct FlowEvent {
  bool by_client = true;
  std::uint8_t event = 0;
};

// In their order. `history` as in nids_flow_cell, 0 where it is forgotten, and what it lacks of
// `events` (as in nids_flow_state) comes last, in the order that a connection has.
std::vector<FlowEvent> flow_events(std::uint64_t history, std::uint16_t events, bool client_is_hi);

// Zeek's letters, capital ones the client's; `^` first where it was not the client who was seen
// first. Of the letters that need more than first events (c g i q t w) there is none.
std::string history_text(const std::vector<FlowEvent>& events);

// Of TCP, by the states that Zeek's endpoints go through.
ConnState tcp_conn_state(const std::vector<FlowEvent>& events);
TcpState tcp_state(const std::vector<FlowEvent>& events);

// Of UDP and the like, by who sent anything.
ConnState udp_conn_state(bool by_client, bool by_server);

}  // namespace nids
