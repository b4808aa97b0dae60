// SPDX-License-Identifier: Apache-2.0
#include "analyse/flow/flagged_protocol.hpp"

#include <netinet/in.h>

namespace nids {

// Flags each side that may have opened the connection, because forged packets can name the wrong
// one.
void FlaggedProtocol::on_packet(const PacketView& view, Context& context) {
  if (view.packet.reason == NIDS_REASON_FINDING) return;  // its class is only counted
  for (const nids_sender opener : {NIDS_FROM_LO, NIDS_FROM_HI})
    if (!view.flow.is_flagged(opener) && view.flow.may_be_opener(opener))
      flag(view, opener, context);
}

void FlaggedProtocol::flag(const PacketView& view, nids_sender opener, Context& context) {
  const Packet& packet = view.packet;
  Flow& flow = view.flow;
  const std::uint8_t class_id = flow.class_if(opener);
  if (class_id == 0 || class_id >= classes_->size()) return;
  const Class& flagged = (*classes_)[class_id];
  if (!flagged.is_flagged || (flagged.needs_payload && packet.headers.payload_len == 0)) return;
  flow.flagged = (flow.flagged | 1u << opener) & 3u;

  Alert alert = alert_about(packet, flow);
  alert.ends = flow.ends(opener);
  alert.tunnel = flow.tunnel_ends(opener);
  alert.to_server = packet.sender == opener;
  alert.has_unknown_direction = flow.has_unknown_direction();
  alert.signature_id.sid = flagged.signature_id;
  alert.kind = AlertKind::kFlaggedProtocol;
  alert.severity = flagged.severity;
  alert.signature = "flagged protocol " + flagged.name;
  alert.category = "Flagged protocol";
  alert.class_name = flagged.name;
  alert.technique = flagged.technique;
  alert.observed = std::string("a connection to ") +
                   (packet.headers.l4_proto == IPPROTO_UDP ? "udp/" : "tcp/") +
                   std::to_string(alert.ends.server_port);
  if (alert.has_unknown_direction)
    alert.observed += "; either side may have opened it, because no handshake proves one";
  alert.expected = "none of class " + flagged.name;
  alert.threshold = "1 connection";
  context.alert(std::move(alert));
}

}  // namespace nids
