// SPDX-License-Identifier: Apache-2.0
// What an analyser is: one question asked of each packet of a flow. No input, no output, no clock
// but the packet's.
#pragma once

#include <string_view>

#include "alert/alert.hpp"
#include "decode/packet.hpp"
#include "flow/flow_table.hpp"

namespace nids {

// An alert with all that it takes from the packet and its flow; what it is about is left open, and
// the Community ID, which costs more than all else and is had for what is news.
inline Alert alert_about(const Packet& packet, const Flow& flow) {
  Alert alert;
  alert.time = packet.time;
  alert.ends = flow.ends();
  alert.flow_id = flow.id;
  alert.tunnel = flow.tunnel_ends(flow.opener());
  alert.ifindex = packet.ifindex;
  alert.to_server = packet.from_opener;
  return alert;
}

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
