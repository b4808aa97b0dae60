/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The lists that become enums, counter indexes and JSON keys, each written
 * once. Append only: an index is also a position in a map of the running
 * program, and a class index is part of a signature_id.
 */
#ifndef NIDS_ABI_LISTS_H
#define NIDS_ABI_LISTS_H

#include "version.h"

/* X(NAME, json key, meaning). Exactly one is counted per packet, so the sum
 * over the list is the number of packets seen.
 */
#define NIDS_PARSE_RESULTS(X)                                                                      \
	X(OK, "ok", "every header that the packet has was read")                                   \
	X(TRUNCATED, "truncated", "the frame ends inside a header")                                \
	X(UNAVAILABLE, "unavailable", "a header lies beyond what the hook or capture file holds")  \
	X(BAD_HEADER, "bad_header", "a header contradicts itself: version, IHL, data offset")      \
	X(BAD_LENGTH, "bad_length",                                                                \
	  "a length claims more than the frame, or less than its header")                          \
	X(LATER_FRAGMENT, "later_fragment", "a fragment after the first: it has no ports")         \
	X(TOO_MANY_TAGS, "too_many_tags",                                                          \
	  "more than 3 VLAN tags, not counting id 0, or 64 in all")                                \
	X(TOO_MANY_EXTENSIONS, "too_many_extensions", "more than 192 IPv6 extension headers")      \
	X(NOT_IP, "not_ip", "neither IP nor ARP")                                                  \
	X(MPLS, "mpls", "an MPLS label stack, which is not looked behind")                         \
	X(PPPOE, "pppoe", "a PPPoE session, which is not looked behind")                           \
	X(GENEVE, "geneve", "a Geneve tunnel, which is not looked into")

/* X(NAME, json key). What the outermost network header is. */
#define NIDS_NETWORKS(X) X(IPV4, "ipv4") X(IPV6, "ipv6") X(ARP, "arp") X(OTHER, "other")

/* X(NAME, json key). What the outermost IP header carries; packets whose IP
 * header could not be read are in none of them.
 */
#define NIDS_TRANSPORTS(X)                                                                         \
	X(TCP, "tcp")                                                                              \
	X(UDP, "udp")                                                                              \
	X(ICMP, "icmp")                                                                            \
	X(ICMPV6, "icmpv6")                                                                        \
	X(SCTP, "sctp")                                                                            \
	X(IGMP, "igmp")                                                                            \
	X(FRAGMENT, "fragment")                                                                    \
	X(OTHER, "other")

/* X(NAME, json key). What a packet is wrapped in; one level is looked into. */
#define NIDS_TUNNELS(X)                                                                            \
	X(NONE, "none")                                                                            \
	X(GRE, "gre")                                                                              \
	X(IP, "ip")                                                                                \
	X(VXLAN, "vxlan")

/* X(NAME, json key, meaning). What one packet alone can be found guilty of; the
 * index plus 2001 is its signature_id. A packet may have more than one.
 */
#define NIDS_FINDINGS(X)                                                                           \
	X(LAND, "land", "sent from its own destination, address and port")                         \
	X(XMAS, "xmas", "TCP with FIN, PSH and URG and nothing else")                              \
	X(NULL, "null", "TCP without any flag")                                                    \
	X(SYN_FIN, "syn_fin", "TCP with SYN and FIN")                                              \
	X(SYN_RST, "syn_rst", "TCP with SYN and RST")                                              \
	X(PORT_ZERO, "port_zero", "TCP or UDP from or to port 0")                                  \
	X(SMURF, "smurf", "ICMP echo request to a broadcast or multicast address")                 \
	X(PING_OF_DEATH, "ping_of_death", "a fragment that ends past 65,535 bytes")                \
	X(SYN_MULTICAST, "syn_multicast", "TCP SYN to a broadcast or multicast address")           \
	X(SOURCE_ROUTE, "source_route", "IPv4 with a source route option")                         \
	X(RH0, "rh0", "IPv6 with a routing header of type 0")                                      \
	X(TINY_FRAGMENT, "tiny_fragment", "a first fragment too short for its TCP header")         \
	X(OVERLAPPING_FRAGMENT, "overlapping_fragment",                                            \
	  "a later fragment that begins inside the TCP header")                                    \
	X(BAD_OPTIONS, "bad_options", "IPv4 options whose lengths lie")                            \
	X(BAD_LENGTH, "bad_length", "a length that claims what is not there")                      \
	X(BAD_HEADER, "bad_header", "a header that contradicts itself")                            \
	X(TRUNCATED, "truncated", "a frame that ends inside a header")                             \
	X(TOO_MANY_HEADERS, "too_many_headers", "more VLAN tags or IPv6 extensions than are sane")

/* X(NAME, json key). Why a record is offered to the ring. */
#define NIDS_REASONS(X)                                                                            \
	X(CAPTURE, "capture")                                                                      \
	X(INSPECT, "inspect")                                                                      \
	X(IDENTIFY, "identify")                                                                    \
	X(FINDING, "finding")                                                                      \
	X(HEADERS, "headers")                                                                      \
	X(FLOW_EXPORT, "flow_export")                                                              \
	X(HANDSHAKE, "handshake")

/* X(NAME, json key, meaning). How much of a flow goes up to the agent. */
#define NIDS_INTERESTS(X)                                                                          \
	X(COUNT, "count", "nothing")                                                               \
	X(CAPTURE, "capture", "every packet, whole")                                               \
	X(IDENTIFY, "identify", "the first packets with payload, their first bytes")               \
	X(INSPECT, "inspect", "every packet, up to a depth in bytes")                              \
	X(BYPASS, "bypass", "nothing, not even samples: the agent has seen enough")                \
	X(HEADERS, "headers", "the headers of every packet")

#define NIDS_ENUM_PARSE(name, key, meaning) NIDS_PARSE_##name,
enum nids_parse_result { NIDS_PARSE_RESULTS(NIDS_ENUM_PARSE) NIDS_PARSE_RESULT_COUNT };

#define NIDS_ENUM_NETWORK(name, key) NIDS_NETWORK_##name,
enum nids_network { NIDS_NETWORKS(NIDS_ENUM_NETWORK) NIDS_NETWORK_COUNT };

#define NIDS_ENUM_TRANSPORT(name, key) NIDS_TRANSPORT_##name,
enum nids_transport { NIDS_TRANSPORTS(NIDS_ENUM_TRANSPORT) NIDS_TRANSPORT_COUNT };

#define NIDS_ENUM_TUNNEL(name, key) NIDS_TUNNEL_##name,
enum nids_tunnel { NIDS_TUNNELS(NIDS_ENUM_TUNNEL) NIDS_TUNNEL_COUNT };

#define NIDS_ENUM_FINDING(name, key, meaning) NIDS_FINDING_##name,
enum nids_finding { NIDS_FINDINGS(NIDS_ENUM_FINDING) NIDS_FINDING_COUNT };

#define NIDS_ENUM_REASON(name, key) NIDS_REASON_##name,
enum nids_reason { NIDS_REASONS(NIDS_ENUM_REASON) NIDS_REASON_COUNT };

#define NIDS_ENUM_INTEREST(name, key, meaning) NIDS_INTEREST_##name,
enum nids_interest { NIDS_INTERESTS(NIDS_ENUM_INTEREST) NIDS_INTEREST_KINDS };

#endif
