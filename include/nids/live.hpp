// SPDX-License-Identifier: Apache-2.0
// What the slots of flow tables hold at this moment, the kernel's or the twin's. Owns no table.
#pragma once

#include "nids/abi/counters.h"
#include "nids/abi/flow.h"

namespace nids {

// `sets`: a range of nids_flow4_set or nids_flow6_set.
template <class Sets>
void add_live(nids_sum& live, const Sets& sets) {
  for (const auto& set : sets)
    for (const auto& slot : set.way) {
      live.packets += __u64{slot.state.packets[0]} + slot.state.packets[1];
      live.bytes += slot.state.bytes[0] + slot.state.bytes[1];
    }
}

}  // namespace nids
