// SPDX-License-Identifier: Apache-2.0
// An alert as analysers raise it and sinks write it. Says nothing of where it is written.
#pragma once

#include <cstdint>
#include <string>

#include "alert/signature.hpp"
#include "net/ends.hpp"
#include "nids/time.hpp"

namespace nids {

struct Alert {
  WallTime time;
  SignatureId signature_id;
  AlertKind kind = AlertKind::kFlaggedProtocol;
  int severity = 3;       // 1 high to 3 low
  std::string signature;  // one line for people
  std::string category;
  std::string class_name;                     // protocol class, may be empty
  std::string technique;                      // MITRE ATT&CK id, may be empty
  std::string observed, expected, threshold;  // alert.context
  Ends ends;
  bool has_unknown_direction = false;  // `ends` may be the wrong way round
  TunnelEnds tunnel;
  std::uint32_t ifindex = 0;  // of the packet; without a packet the lowest of the link
  std::uint64_t flow_id = 0;  // below 2^53, so that JSON readers keep it
  std::string community_id;
  bool to_server = true;  // the packet that raised it
  std::string interface;
};

}  // namespace nids
