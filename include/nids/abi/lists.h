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
	X(TOO_MANY_TAGS, "too_many_tags", "more than 3 VLAN tags")                                 \
	X(TOO_MANY_EXTENSIONS, "too_many_extensions", "more than 8 IPv6 extension headers")        \
	X(NOT_IP, "not_ip", "neither IP nor ARP")

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

/* X(NAME, json key). Why a record is offered to the ring. */
#define NIDS_RECORD_KINDS(X)                                                                       \
	X(PACKET, "packet")                                                                        \
	X(FLOW_EXPORT, "flow_export")

/* X(NAME, json key). How much of a flow goes up to the agent. */
#define NIDS_INTERESTS(X)                                                                          \
	X(COUNT, "count")                                                                          \
	X(CAPTURE, "capture")

#define NIDS_ENUM_PARSE(name, key, meaning) NIDS_PARSE_##name,
enum nids_parse_result { NIDS_PARSE_RESULTS(NIDS_ENUM_PARSE) NIDS_PARSE_RESULT_COUNT };

#define NIDS_ENUM_NETWORK(name, key) NIDS_NETWORK_##name,
enum nids_network { NIDS_NETWORKS(NIDS_ENUM_NETWORK) NIDS_NETWORK_COUNT };

#define NIDS_ENUM_TRANSPORT(name, key) NIDS_TRANSPORT_##name,
enum nids_transport { NIDS_TRANSPORTS(NIDS_ENUM_TRANSPORT) NIDS_TRANSPORT_COUNT };

#define NIDS_ENUM_RECORD(name, key) NIDS_RECORD_##name,
enum nids_record_kind { NIDS_RECORD_KINDS(NIDS_ENUM_RECORD) NIDS_RECORD_KIND_COUNT };

#define NIDS_ENUM_INTEREST(name, key) NIDS_INTEREST_##name,
enum nids_interest { NIDS_INTERESTS(NIDS_ENUM_INTEREST) NIDS_INTEREST_KINDS };

#endif
