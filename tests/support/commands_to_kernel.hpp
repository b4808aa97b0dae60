// SPDX-License-Identifier: Apache-2.0
// The agent's word on flows, into the tables of a program under a test.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <utility>

#include "source/flow_commands.hpp"
#include "source/live_tables.hpp"
#include "support/bpf_run.hpp"

namespace nids {

class CommandsToKernel {
 public:
  // Again after each load; void, so that it may assert.
  void map(const BpfRun& program) {
    auto maps = FlowMaps::of(program.maps());
    ASSERT_TRUE(maps) << maps.error().message();
    maps_ = std::move(*maps);
    commands_.emplace(tables_of(maps_));
  }

  std::uint32_t give(const FlowIdentity& flow, nids_slot_address slot, std::uint8_t word) {
    return commands_->give(flow, slot, word);
  }

 private:
  FlowMaps maps_;
  std::optional<FlowCommands> commands_;  // into maps_
};

}  // namespace nids
