// SPDX-License-Identifier: Apache-2.0
#include "analyse/flow/stateless_finding.hpp"

#include <array>

namespace nids {
namespace {

constexpr std::uint32_t kFirstSignature = 2001;

struct Kind {
  const char* title;
  int severity;
  const char* technique;  // MITRE ATT&CK
  const char* meaning;
  const char* expected;
};

constexpr Kind kind_of(nids_finding finding, const char* meaning) {
  switch (finding) {
    case NIDS_FINDING_LAND:
      return {"LAND packet", 2, "T1499.004", meaning, "different ends"};
    case NIDS_FINDING_XMAS:
      return {"TCP Xmas scan packet", 2, "T1046", meaning, "flags of a connection (RFC 9293)"};
    case NIDS_FINDING_NULL:
      return {"TCP NULL scan packet", 2, "T1046", meaning, "flags of a connection (RFC 9293)"};
    case NIDS_FINDING_SYN_FIN:
      return {"TCP packet with SYN and FIN", 2, "T1046", meaning, "one of the two"};
    case NIDS_FINDING_SYN_RST:
      return {"TCP packet with SYN and RST", 2, "T1046", meaning, "one of the two"};
    case NIDS_FINDING_PORT_ZERO:
      return {"packet from or to port 0", 3, "", meaning, "ports from 1 (RFC 6335)"};
    case NIDS_FINDING_SMURF:
      return {"ICMP echo request to many", 2, "T1498.002", meaning, "one host"};
    case NIDS_FINDING_PING_OF_DEATH:
      return {"fragment beyond the longest datagram", 1, "T1499.004", meaning,
              "at most 65,535 bytes (RFC 791)"};
    case NIDS_FINDING_SYN_MULTICAST:
      return {"TCP SYN to many", 3, "", meaning, "one host"};
    case NIDS_FINDING_SOURCE_ROUTE:
      return {"IPv4 source route", 2, "", meaning, "none (RFC 7126)"};
    case NIDS_FINDING_RH0:
      return {"IPv6 routing header of type 0", 2, "", meaning, "none (RFC 5095)"};
    case NIDS_FINDING_TINY_FRAGMENT:
      return {"tiny first fragment", 2, "", meaning, "a whole TCP header (RFC 1858)"};
    case NIDS_FINDING_OVERLAPPING_FRAGMENT:
      return {"fragment over a TCP header", 2, "", meaning, "data behind it (RFC 1858)"};
    case NIDS_FINDING_BAD_OPTIONS:
      return {"IPv4 options that lie", 3, "", meaning, "lengths that fit"};
    case NIDS_FINDING_BAD_LENGTH:
      return {"length that lies", 3, "", meaning, "lengths that fit"};
    case NIDS_FINDING_BAD_HEADER:
      return {"header that contradicts itself", 3, "", meaning, "a header of its protocol"};
    case NIDS_FINDING_TRUNCATED:
      return {"truncated header", 3, "", meaning, "whole headers"};
    case NIDS_FINDING_TOO_MANY_HEADERS:
      return {"too many headers", 3, "", meaning, "at most 3 VLAN tags and 192 extension headers"};
    case NIDS_FINDING_COUNT:
      break;
  }
  return {};
}

constexpr std::array<Kind, NIDS_FINDING_COUNT> kKinds{
#define NIDS_KIND(name, key, meaning) kind_of(NIDS_FINDING_##name, meaning),
    NIDS_FINDINGS(NIDS_KIND)
#undef NIDS_KIND
};

}  // namespace

void StatelessFinding::on_packet(const PacketView& view, Context& context) {
  for (std::uint32_t i = 0; i < kKinds.size(); ++i) {
    if ((view.packet.findings >> i & 1) == 0) continue;
    const Kind& kind = kKinds[i];
    Alert alert = alert_about(view.packet, view.flow);
    alert.signature_id.sid = kFirstSignature + i;
    alert.kind = AlertKind::kStatelessFinding;
    alert.severity = kind.severity;
    alert.signature = kind.title;
    alert.category = "Stateless finding";
    alert.technique = kind.technique;
    alert.observed = kind.meaning;
    alert.expected = kind.expected;
    alert.threshold = "1 packet";
    context.alert(std::move(alert));
  }
}

}  // namespace nids
