// SPDX-License-Identifier: Apache-2.0
// The interface of an analyser: it gets flows, packets and ticks, and raises alerts. It does no I/O
// and reads no clock. There is one instance per worker, used by the worker's thread only.
#pragma once

#include <string_view>

#include "alert/alert.hpp"
#include "analyse/host/host_event.hpp"
#include "decode/packet.hpp"
#include "flow/flow.hpp"
#include "flow/flow_ref.hpp"

namespace nids {

// A packet and its flow. A packet of no flow has a Flow for this call only, and the empty
// reference.
struct PacketView {
  const Packet& packet;
  Flow& flow;
  FlowRef ref;
};

// An alert with all that it takes from the packet and its flow. What it is about is left open, and
// so is the Community ID: it costs more than all else, and suppressed alerts need none.
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

// What an analyser may do. Valid during the call that it was given to.
class Context {
 public:
  virtual ~Context() = default;
  virtual void alert(Alert alert) = 0;
  // Sends to the host analysers. Events of the same hosts and service are added up.
  virtual void publish(HostEvent event) = 0;
  // Null if the flow is over.
  virtual Flow* flow(FlowRef ref) = 0;
  virtual WallTime now() const = 0;
  // The flow includes every packet before this time that the first pass has counted.
  virtual WallTime read_until(const Flow&) const { return now(); }
};

// The events that an analyser gets.
struct Wants {
  bool flows = false, packets = false, ticks = false;
};

class Analyser {
 public:
  virtual ~Analyser() = default;
  virtual std::string_view name() const noexcept = 0;
  virtual Wants wants() const noexcept = 0;
  // For every flow, even one that sends no packet to user space. FlowStates stores state by flow.
  virtual void on_flow(FlowRef, Flow&, FlowChange, Context&) {}
  virtual void on_packet(const PacketView&, Context&) {}
  // Several times a second, between two drains of the rings. It must do a bounded amount of work;
  // the next call comes soon.
  virtual void on_tick(Context&) {}
};

}  // namespace nids
