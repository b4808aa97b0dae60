// SPDX-License-Identifier: Apache-2.0
// Flow records as a test writes them.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstdint>
#include <string>

#include "flow/flow_record.hpp"

namespace nids {

// Between two ends of one IP version, whose addresses are written as usual.
inline FlowRecord flow_between(const std::string& client, std::uint16_t client_port,
                               const std::string& server, std::uint16_t server_port,
                               std::uint8_t l4_proto = IPPROTO_TCP) {
  FlowRecord record;
  const bool is_ipv6 = client.find(':') != client.npos;
  record.ends.ip_version = is_ipv6 ? 6 : 4;
  record.ends.l4_proto = l4_proto;
  record.ends.client_port = client_port;
  record.ends.server_port = server_port;
  const int family = is_ipv6 ? AF_INET6 : AF_INET;
  EXPECT_EQ(inet_pton(family, client.c_str(), record.ends.client), 1) << client;
  EXPECT_EQ(inet_pton(family, server.c_str(), record.ends.server), 1) << server;
  return record;
}

}  // namespace nids
