// SPDX-License-Identifier: Apache-2.0
// The interface of an output. An output gets what the workers found, and reports its own state. All
// workers share it, so any thread may call on_*(). Those calls never wait for a disk, a network or
// a reader, except at shutdown and in a replay.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "alert/alert.hpp"
#include "alert/evidence.hpp"
#include "decode/packet.hpp"
#include "flow/flow_record.hpp"
#include "log/eve.hpp"
#include "nids/time.hpp"
#include "retain/kept.hpp"

namespace nids {

// An alert that is not suppressed, rendered if an output needs that.
struct RaisedAlert {
  Alert alert;
  std::optional<EveAlert> eve;
};

// A packet that is to be stored, with the alerts that it raised.
struct StoredPacket {
  const Packet& packet;
  std::size_t worker = 0;         // the worker that stores it
  nids_agent_counters& counters;  // of this worker, for the packet's interface
  std::span<const RaisedAlert> alerts;
  std::uint8_t severity = 0;             // of its flow's alerts, 1 high to 3 low; 0: none
  std::uint64_t flow_id = 0;             // 0: it belongs to no flow
  const FlowRecord* flow_now = nullptr;  // where there are alerts and a flow
  std::function<KeptFlow()> flow{};      // called if the flow is new in the file
};

struct AlertRecord {
  const RaisedAlert& raised;
  const FlowRecord* flow_now = nullptr;  // null: no flow, or no output stores packets
  std::optional<Evidence> evidence{};    // where its packet is stored
  bool was_stored_with_packet = false;   // it was in StoredPacket::alerts
};

class Output {
 public:
  virtual ~Output() = default;
  // Returns where the packet is stored, if this output stores packets and it has alerts.
  virtual std::optional<Evidence> on_packet(const StoredPacket&) { return std::nullopt; }
  virtual void on_alert(const AlertRecord&) {}
  // A flow ended, or is reported while it continues. `now`: time of the report.
  virtual void on_flow(const FlowRecord&, WallTime now) { static_cast<void>(now); }

  virtual std::uint64_t degraded() const = 0;  // NIDS_DEGRADED_*; any thread may call it
  // Sends what is buffered and updates the counters. The control thread calls it four times a
  // second.
  virtual void flush(WallTime now) { static_cast<void>(now); }
  // Called once, by the control thread, after the last worker has ended. May wait for the disk.
  virtual void finish(WallTime now) { static_cast<void>(now); }
};

}  // namespace nids
