// SPDX-License-Identifier: Apache-2.0
// What an analyser is: one question asked of each packet of a flow. No input, no output, no clock
// but the packet's.
#pragma once

#include <string_view>

#include "analyse/alert.hpp"
#include "decode/packet.hpp"
#include "flow/flow_table.hpp"

namespace nids {

class AlertSink {
 public:
  virtual ~AlertSink() = default;
  virtual void raise(Alert alert) = 0;
};

class Analyser {
 public:
  virtual ~Analyser() = default;
  virtual std::string_view name() const noexcept = 0;
  virtual void inspect(const Packet&, Flow&, AlertSink&) = 0;
};

}  // namespace nids
