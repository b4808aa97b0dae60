// SPDX-License-Identifier: Apache-2.0
// The ends of a flow, and moments, in the words of tables. Looks no name up.
#pragma once

#include <string>

#include "net/ends.hpp"
#include "nids/time.hpp"

namespace nids {

// "10.0.0.2:40000", "[2001:db8::1]:22", "10.0.0.2" where the protocol has no ports, "-" where
// there is no address.
std::string client_text(const Ends& ends, bool with_port = true);
std::string server_text(const Ends& ends, bool with_port = true);
// "tcp", "icmp6", "-"
std::string protocol_text(const Ends& ends);

// "2026-11-22 10:00:00", UTC.
std::string moment_text(WallTime time);
// The same in few columns: "11-22 10:00:00" in the year of `now`, else "2025-11-22 10:00".
std::string short_moment_text(WallTime time, WallTime now);

}  // namespace nids
