// SPDX-License-Identifier: Apache-2.0
// What is told of a flow: both directions joined, whoever of the CPUs saw them. Plain values, for
// EVE, IPFIX and `flows`; nothing here points into a table.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "net/ends.hpp"
#include "nids/time.hpp"

namespace nids {

// Zeek's conn_state, by its names.
enum class ConnState {
  kS0,
  kS1,
  kSF,
  kREJ,
  kS2,
  kS3,
  kRSTO,
  kRSTR,
  kRSTOS0,
  kRSTRH,
  kSH,
  kSHR,
  kOTH
};

// Suricata's flow.state.
enum class FlowState { kNew, kEstablished, kClosed, kBypassed };

// Suricata's flow.reason: why a record was written.
enum class FlowReason {
  kTimeout,   // closed, or silent for its time
  kForced,    // the table was full, or the same ends began a new flow
  kShutdown,  // the agent ended
  kInterim,   // it goes on
};

// RFC 9293 section 3.3.2, as an onlooker sees it: of the connection, not of one end.
enum class TcpState {
  kNone,
  kSynSent,
  kSynReceived,
  kEstablished,
  kFinWait1,  // the client closed first
  kFinWait2,
  kCloseWait,  // the server closed first
  kLastAck,
  kTimeWait,
  kClosed
};

const char* name_of(ConnState);
const char* name_of(FlowState);
const char* name_of(FlowReason);
const char* name_of(TcpState);

// Of packets to the server and of those to the client.
struct IcmpTypes {
  std::uint8_t type = 0, code = 0;
  std::optional<std::uint8_t> response_type, response_code;
};

// Arrays: to the server, to the client.
struct FlowRecord {
  std::uint64_t id = 0;       // below 2^53
  std::uint32_t ifindex = 0;  // the lowest ifindex of its link
  Ends ends;
  std::string community_id;
  WallTime start, end;                 // its first and its last packet; a tick fine
  std::uint64_t packets[2]{};          // on the wire
  std::uint64_t bytes[2]{};            // on the wire, link header included
  std::uint8_t tcp_flags[2]{};         // all seen, or-ed
  std::uint8_t class_id = 0;           // 0: of no class
  bool has_unknown_direction = false;  // `ends` may be the wrong way round
  TunnelEnds tunnel;
  bool is_alerted = false;
  bool is_continued = false;  // an earlier record told the part before
  ConnState conn_state = ConnState::kOTH;
  std::string history;  // Zeek's letters, capital ones the client's
  FlowState state = FlowState::kNew;
  FlowReason reason = FlowReason::kTimeout;
  TcpState tcp_state = TcpState::kNone;
  std::optional<IcmpTypes> icmp;
};

}  // namespace nids
