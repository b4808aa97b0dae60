// SPDX-License-Identifier: Apache-2.0
// pcap-filter(7) expressions, without a look-up of any name: libpcap would ask a name server,
// which may be an attacker's.
#pragma once

#include <string>
#include <string_view>

#include "analyse/packet_filter.hpp"
#include "cli/services.hpp"
#include "flow/flow_filter.hpp"
#include "nids/result.hpp"

struct pcap;  // libpcap's

namespace nids {

// The expression with the names of ports as numbers. A name may stand right after `port`, and a
// protocol's right after `proto`; any other word that is neither of the language's own nor an
// address is refused, so that libpcap finds nothing to look up.
Result<std::string> numeric_expression(std::string_view expression, const Services& services);

// Of Ethernet; says what flows can't tell.
Result<FlowFilter> compile_flow_filter(std::string_view expression, const Services& services);

// For the packets of a capture file; null: for those of an interface, which are Ethernet. Libpcap
// says why it refuses one; up to where it understood it is found out by asking for less.
Result<PacketFilter> compile_packet_filter(std::string_view expression, const Services& services,
                                           pcap* file = nullptr);

}  // namespace nids
