// SPDX-License-Identifier: Apache-2.0
#include "analyse/flagged_protocol.hpp"

#include <netinet/in.h>

namespace nids {

void FlaggedProtocol::inspect(const Packet& packet, Flow& flow, AlertSink& sink) {
  if (packet.reason == NIDS_REASON_FINDING) return;  // its class is only counted
  if (flow.is_flagged || flow.class_id == 0 || flow.class_id >= classes_.size()) return;
  const Class& flagged = classes_[flow.class_id];
  if (!flagged.is_flagged || (flagged.needs_payload && packet.headers.payload_len == 0)) return;
  flow.is_flagged = true;

  Alert alert = alert_about(packet, flow);
  alert.signature_id = flagged.signature_id;
  alert.severity = flagged.severity;
  alert.signature = "flagged protocol " + flagged.name;
  alert.category = "Flagged protocol";
  alert.class_name = flagged.name;
  alert.technique = flagged.technique;
  alert.observed = std::string("a connection to ") +
                   (packet.headers.l4_proto == IPPROTO_UDP ? "udp/" : "tcp/") +
                   std::to_string(alert.ends.server_port);
  alert.expected = "none of class " + flagged.name;
  alert.threshold = "1 connection";
  sink.raise(std::move(alert));
}

}  // namespace nids
