// SPDX-License-Identifier: Apache-2.0
// Flows as a person likes to read them: a table for a terminal's width, and a line a change.
// Never prints, sorts, or asks what a terminal can do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "cli/services.hpp"
#include "log/flow_json.hpp"
#include "nids/time.hpp"

namespace nids {

struct FlowsTextOptions {
  std::size_t width = 80;  // columns
  bool colour = false;
  const Services* services = nullptr;  // null: ports as numbers
  // An address's name where it is known, safe to print; null: none.
  std::function<std::optional<std::string>(const std::uint8_t (&)[16], std::uint8_t)> host_name;
};

// Header, a line a flow, and "20 of 1,234 flows". The client is first, `>` counts what it sent.
// Columns are as wide as what is in them. Where the width doesn't suffice, IPv6 addresses and names
// are shortened, never two of them to the same text; a flow whose ends still don't fit has two
// lines.
// Wider terminals see more: start, conn_state, history, VLAN and community_id, as many as fit.
std::string flows_table(std::span<const NamedFlow> flows, std::uint64_t total, WallTime now,
                        const FlowsTextOptions& options);

enum class ChangeSign : char { kStart = '+', kChange = '~', kEnd = '-' };

// "+ 10:00:00.123 tcp 10.0.0.2:40000 -> 10.0.0.1:ssh SYN_SENT >1 60 <0 0 0s ssh", time in UTC,
// with a newline; an end also says Zeek's conn_state and history. Shortens nothing.
std::string flow_change_line(ChangeSign change, const NamedFlow& flow, WallTime now,
                             const FlowsTextOptions& options);

}  // namespace nids
