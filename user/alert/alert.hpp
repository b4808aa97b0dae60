// SPDX-License-Identifier: Apache-2.0
// An alert as analysers raise it and sinks write it.
#pragma once

#include <cstdint>
#include <string>

#include "flow/ends.hpp"
#include "nids/time.hpp"

namespace nids {

struct Alert {
  WallTime time;
  std::uint32_t signature_id = 0;  // docs/alerts.md
  std::uint32_t rev = 1;
  int severity = 3;       // 1 high to 3 low
  std::string signature;  // one line for people
  std::string category;
  std::string class_name;  // protocol class, may be empty
  std::string technique;   // MITRE ATT&CK id, may be empty
  std::string observed, expected, threshold;  // alert.context
  Ends ends;
  std::uint64_t flow_id = 0;  // below 2^53, so that JSON readers keep it
  std::string community_id;
  bool to_server = true;  // the packet that raised it
  std::string interface;
};

// Where the packet that raised an alert is kept; no file: it was not kept.
struct Evidence {
  std::string file;
  std::uint64_t packet_number = 0;  // from 1, as Wireshark counts
};

}  // namespace nids
