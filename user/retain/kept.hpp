// SPDX-License-Identifier: Apache-2.0
// What is kept beside a packet: its flow, its alerts, and where it lies. Says nothing of how.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "alert/signature.hpp"
#include "net/ends.hpp"
#include "nids/time.hpp"
#include "retain/segment.hpp"

namespace nids {

// Numbers of alerts go up by one. What others wrote may have any up to kMaxAlert, but ours go on
// behind no higher one than kMaxFoundAlert: what was planted can't use the numbers up.
inline constexpr std::uint64_t kMaxAlert = 1ull << 53, kMaxFoundAlert = 1ull << 52;

// Indexes and comments of earlier versions have no kind of alert. A class raised their alerts of
// these numbers, a finding all others.
inline constexpr std::uint32_t kFirstOfClassBefore = 1000, kLastOfClassBefore = 1999;

// The flow of a packet, as comments and the index name it.
struct KeptFlow {
  std::uint64_t id = 0;      // below 2^53; 0: the packet is of no flow
  std::string community_id;  // empty: of no flow
  Ends ends;
  std::string class_name;  // empty: of no class
  bool operator==(const KeptFlow&) const = default;
};

struct KeptAlert {
  std::uint64_t id = 0;  // counts up from 1 in each store, and is never used again
  WallTime time;
  SignatureId signature_id;
  AlertKind kind = AlertKind::kFlaggedProtocol;
  int severity = 3;       // 1 high to 3 low
  std::string signature;  // one line for people
  KeptFlow flow;
  // A JSON object: "alert" is the EVE record, without the place of its packet; "flow" the flow at
  // that moment, as `flows --json` has it.
  std::string record;
  bool operator==(const KeptAlert&) const = default;
};

struct PacketPlace {
  SegmentName segment;
  std::uint64_t offset = 0;  // bytes before its block in the segment
  std::uint64_t number = 0;  // from 1 in the segment, as Wireshark counts
  bool operator==(const PacketPlace&) const = default;
};

// The packets of one flow in one piece of a segment.
struct FlowSpan {
  SegmentName segment;
  KeptFlow flow;
  WallTime first, last;
  std::uint64_t bytes = 0;             // captured
  std::vector<std::uint64_t> offsets;  // of each packet's block, ascending
  bool operator==(const FlowSpan&) const = default;
};

}  // namespace nids
