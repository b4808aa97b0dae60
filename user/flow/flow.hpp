// SPDX-License-Identifier: Apache-2.0
// One flow: what was counted of it and has not been told yet, and what that says of it. Keeps no
// others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "flow/ends.hpp"
#include "flow/flow_record.hpp"
#include "nids/abi/flow.h"
#include "nids/time.hpp"

namespace nids {

// Lists of flows by how long they may be silent.
enum class FlowPhase : std::uint8_t {
  kTcpNew,
  kTcpEstablished,
  kTcpClosed,
  kUdp,
  kIcmp,
  kOther,
  kReplaced
};
inline constexpr std::size_t kFlowPhases = 7;

// Arrays are by enum nids_sender where nothing else is said.
struct Flow {
  nids_flow_key key{};
  std::uint64_t id = 0;                    // below 2^53, the same in every replay
  WallTime start, last;                    // of its first packet and its last
  std::uint64_t packets[2]{}, bytes[2]{};  // on the wire, not told in a record yet
  std::uint64_t came_up_bytes[2]{};        // wire bytes that came up: to server, to client
  std::uint64_t history = 0;               // as in nids_flow_cell, without the tag
  WallTime told;                           // of its last record; 0: none
  std::uint32_t ifindex = 0;
  std::uint32_t scan = 0;  // the last in which it grew
  std::uint16_t events = 0;
  std::uint8_t tcp_flags[2]{};  // of ICMP: types
  std::uint8_t class_id = 0;
  FlowPhase phase = FlowPhase::kOther;
  bool opener_is_hi : 1 = false;
  bool is_flagged : 1 = false;    // an analyser has spoken of it
  bool is_alerted : 1 = false;    // and that was written
  bool is_ended : 1 = false;      // the same ends have begun a new one
  bool is_continued : 1 = false;  // an earlier record told the part before
  bool is_bypassed : 1 = false;
  bool is_successor : 1 = false;  // the same ends had a flow before, which it replaced
  std::uint8_t senders : 2 = 0;   // who has sent anything: a bit each, by enum nids_sender
  std::uint8_t severity : 2 = 0;  // the highest of its alerts, 1 to 3, news or not; 0: no alert
  std::uint8_t kept_as : 2 = 0;   // by retain: the severity whose policy it has; 0: its class's

  // By the table: places in its pool.
  std::uint32_t previous = 0, next = 0;  // in the list of its phase
  std::uint32_t older = 0, newer = 0;    // the flow of the same ends before, and after

  Ends ends() const;
  bool has_sent(int sender) const { return (senders >> sender & 1) != 0; }
  bool is_closed() const;  // TCP: a RST, or both ends' FIN; other protocols never
  std::optional<IcmpTypes> icmp() const;
  std::string community_id(std::uint16_t seed) const;
  FlowPhase phase_now() const;  // by what was seen of it
  // What has not been told.
  FlowRecord record(FlowReason reason, std::uint16_t community_id_seed) const;
};

}  // namespace nids
