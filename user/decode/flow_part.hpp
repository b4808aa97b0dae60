// SPDX-License-Identifier: Apache-2.0
// What one CPU counted of a flow since it was told last: what the flow stage joins.
#pragma once

#include <cstdint>

#include "nids/abi/flow.h"
#include "nids/time.hpp"

namespace nids {

// Arrays are by enum nids_sender.
struct FlowPart {
  nids_flow_key key{};
  nids_flow_tunnel tunnel{};  // completes the key
  std::uint32_t ifindex = 0;
  std::uint64_t packets[2]{}, bytes[2]{};  // on the wire, since the last part of this slot
  std::uint8_t tcp_flags[2]{};             // of the slot's whole life, as all below
  std::uint16_t events = 0;                // NIDS_EVENT_*, of both senders
  std::uint64_t history = 0;               // as in nids_flow_cell, without the tag; 0: forgotten
  std::uint8_t class_id = 0;               // the class if `opener_is_hi` is right; 0: none
  std::uint8_t other_class = 0;            // the class if it is wrong; 0: none
  bool opener_is_hi = false;
  bool is_bypassed = false;
  bool is_ended = false;      // the same ends began a new flow
  bool is_continued = false;  // an earlier agent told what came before
  WallTime created, last;     // a tick fine
};

}  // namespace nids
