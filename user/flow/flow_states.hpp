// SPDX-License-Identifier: Apache-2.0
// The state that an analyser has for each flow. The owner calls end() at the end of a flow, which
// frees the state. A later flow with the same index never sees the state of an earlier one.
#pragma once

#include <cstdint>

#include "flow/chunks.hpp"
#include "flow/flow_ref.hpp"

namespace nids {

template <class T>
class FlowStates {
 public:
  T& of(FlowRef flow) {
    while (states_.size() <= flow.index) states_.add();
    Entry& entry = states_[flow.index];
    if (entry.generation != flow.generation) entry = {flow.generation, T{}};
    return entry.state;
  }
  void end(FlowRef flow) { of(flow) = T{}; }

 private:
  struct Entry {
    std::uint32_t generation = 0;
    T state{};
  };
  Chunks<Entry> states_;
};

}  // namespace nids
