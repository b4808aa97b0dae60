// SPDX-License-Identifier: Apache-2.0
// What stands in a packet's comments, for people and for the index to be made anew from. Trusts no
// comment that it reads.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "retain/kept.hpp"

namespace nids {

// On the first packet of each flow in a segment, and on each that its own headers would not lead to
// its flow (an ICMP error, a later fragment): `is_related`.
struct FlowComment {
  KeptFlow flow;
  bool is_related = false;
  bool operator==(const FlowComment&) const = default;
};
std::string flow_comment(const FlowComment& comment);
std::optional<FlowComment> parse_flow_comment(std::string_view text);

// "SSH connection [9000:1001] severity 2 1:aGVsbG8=", for people.
std::string alert_text(const KeptAlert& alert);
// All of the alert, so that nothing of it is lost with the index.
std::string alert_comment(const KeptAlert& alert);
std::optional<KeptAlert> parse_alert_comment(std::string_view text);

}  // namespace nids
