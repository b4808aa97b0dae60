// SPDX-License-Identifier: Apache-2.0
// Arithmetic of packets and their bytes.
#pragma once

#include <cstdint>

#include "nids/abi/counters.h"

namespace nids {

inline nids_sum& operator+=(nids_sum& sum, const nids_sum& more) {
  sum.packets += more.packets;
  sum.bytes += more.bytes;
  return sum;
}

inline nids_sum& operator-=(nids_sum& sum, const nids_sum& less) {
  sum.packets -= less.packets;
  sum.bytes -= less.bytes;
  return sum;
}

inline nids_sum one_packet(std::uint64_t bytes) { return {1, bytes}; }

}  // namespace nids
