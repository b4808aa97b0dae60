// SPDX-License-Identifier: Apache-2.0
// The class and port tables of a test, and the ledger that every table of flows must balance. Owns
// plain arrays; reads no configuration.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string_view>

#include "nids/abi/counters.h"

namespace nids {

inline constexpr std::uint32_t kNoDepthLimit = 0xffffffff;

struct ClassSpec {
  std::string_view name;
  std::initializer_list<std::uint16_t> tcp{};
  std::initializer_list<std::uint16_t> udp{};
  nids_interest interest = NIDS_INTEREST_CAPTURE;
  std::uint32_t depth_bytes = kNoDepthLimit;  // of what is inspected
  std::uint8_t identify_packets = 4;          // of what is identified
};

struct ClassTables {
  std::array<nids_class, NIDS_CLASS_MAX> classes{};
  std::unique_ptr<nids_port_classes> ports = std::make_unique<nids_port_classes>();

  // The first has index 1.
  explicit ClassTables(std::initializer_list<ClassSpec> specs) {
    std::uint8_t index = 0;
    for (const ClassSpec& spec : specs) {
      nids_class& entry = classes.at(++index);
      spec.name.copy(entry.name, sizeof(entry.name) - 1);
      entry.interest = static_cast<std::uint8_t>(spec.interest);
      entry.depth_bytes = spec.depth_bytes;
      entry.identify_packets = spec.identify_packets;
      entry.severity = 2;
      for (const std::uint16_t port : spec.tcp) ports->tcp[port] = index;
      for (const std::uint16_t port : spec.udp) ports->udp[port] = index;
    }
  }
};

// seen = live + exported + unaccounted + no_flow, in packets and in bytes.
inline void expect_balance(const nids_counters& c) {
  EXPECT_EQ(c.seen[NIDS_INGRESS].packets + c.seen[NIDS_EGRESS].packets,
            c.live.packets + c.exported.packets + c.unaccounted.packets + c.no_flow.packets);
  EXPECT_EQ(c.seen[NIDS_INGRESS].bytes + c.seen[NIDS_EGRESS].bytes,
            c.live.bytes + c.exported.bytes + c.unaccounted.bytes + c.no_flow.bytes);
  EXPECT_EQ(c.started, c.finished);
}

}  // namespace nids
