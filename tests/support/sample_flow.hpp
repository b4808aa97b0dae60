// SPDX-License-Identifier: Apache-2.0
// Flows as the agent tells of them, for whatever prints, filters or reads them.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>

#include "flow/flow_record.hpp"

namespace nids {

inline Ends sample_ends(const char* client, std::uint16_t client_port, const char* server,
                        std::uint16_t server_port, std::uint8_t l4_proto = IPPROTO_TCP) {
  Ends ends;
  ends.ip_version = inet_pton(AF_INET, client, ends.client) == 1 ? 4 : 6;
  const int family = ends.ip_version == 4 ? AF_INET : AF_INET6;
  inet_pton(family, client, ends.client);
  inet_pton(family, server, ends.server);
  ends.client_port = client_port;
  ends.server_port = server_port;
  ends.l4_proto = l4_proto;
  return ends;
}

inline constexpr WallTime kSampleStart{1795341600'000'000'000};  // 2026-11-22T10:00:00

// An ssh session of a minute and a half that ended as it should.
inline FlowRecord sample_flow() {
  FlowRecord record;
  record.id = (1ull << 53) - 1;
  record.ends = sample_ends("10.0.0.2", 40'000, "10.0.0.1", 22);
  record.community_id = "1:LQU9qZlK+B5F3KDmev6m5PMibrg=";
  record.start.ns = kSampleStart.ns + 123'456'000;
  record.end.ns = kSampleStart.ns + 90'654'321'000;
  record.packets[0] = 120;
  record.packets[1] = 98;
  record.bytes[0] = 14'301;
  record.bytes[1] = 1ull << 33;
  record.tcp_flags[0] = 0x1b;
  record.tcp_flags[1] = 0x13;
  record.class_id = 1;
  record.is_alerted = true;
  record.conn_state = ConnState::kSF;
  record.history = "ShADadFf";
  record.state = FlowState::kClosed;
  record.tcp_state = TcpState::kTimeWait;
  return record;
}

}  // namespace nids
