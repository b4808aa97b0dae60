// SPDX-License-Identifier: Apache-2.0
// Flow records as IPFIX messages: RFC 7011, both directions of a flow in one record by RFC 5103.
// Bytes only: sends nothing, keeps no time and no sequence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "flow/flow_record.hpp"
#include "nids/time.hpp"

namespace nids::ipfix {

// With the headers of IPv6 and UDP 1,448 bytes: less than an Ethernet frame, also in most tunnels.
inline constexpr std::size_t kMaxMessageBytes = 1'400;

inline constexpr std::uint16_t kIpv4Template = 256;
inline constexpr std::uint16_t kIpv6Template = 257;

struct MessageHeader {
  WallTime export_time;
  std::uint32_t sequence = 0;  // data records before this message, modulo 2^32
  std::uint32_t domain = 0;
};

// One message, filled up to kMaxMessageBytes. Records in the order given: those of one template
// in a row share a set.
class Message {
 public:
  Message() { clear(); }

  // Of both templates. First of all: it always fits, and stands before the records that need it.
  void append_templates();

  // False, and nothing changed, where it does not fit. The record's ip_version is 4 or 6.
  [[nodiscard]] bool append(const FlowRecord& record);

  // Valid until the next change; may be asked again.
  std::span<const std::byte> finish(const MessageHeader& header);

  void clear();
  std::uint32_t records() const { return records_; }
  bool has_templates() const { return has_templates_; }
  bool is_empty() const { return records_ == 0 && !has_templates_; }

 private:
  void open_set(std::uint16_t id);
  void close_set();

  std::vector<std::byte> bytes_;  // its header is written by finish()
  std::size_t set_start_ = 0;     // where the open set begins
  std::uint16_t set_id_ = 0;      // of the open set; 0: none is open
  std::uint32_t records_ = 0;
  bool has_templates_ = false;
};

}  // namespace nids::ipfix
