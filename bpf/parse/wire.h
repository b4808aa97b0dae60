/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The headers as they stand on the wire, and nothing else. All multi-byte
 * fields are in network order.
 */
#ifndef NIDS_PARSE_WIRE_H
#define NIDS_PARSE_WIRE_H

#include "verifier.h"

#define be16(x) __builtin_bswap16(x)
#define be32(x) __builtin_bswap32(x)
#define be64(x) __builtin_bswap64(x)
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "byte order: this parser was written and tested on little-endian hosts"
#endif

/* EtherTypes, IANA "IEEE 802 Numbers". Below 0x0600 the field is a length. */
#define ETHER_IPV4	     0x0800
#define ETHER_ARP	     0x0806
#define ETHER_VLAN	     0x8100
#define ETHER_IPV6	     0x86dd
#define ETHER_QINQ	     0x88a8
#define ETHER_MPLS	     0x8847
#define ETHER_MPLS_MULTICAST 0x8848
#define ETHER_PPPOE_SESSION  0x8864
#define ETHER_BROADCAST	     0xffffffffffffull
#define ETHER_BRIDGED	     0x6558 /* an Ethernet frame, in GRE or Geneve */

struct wire_ethernet { /* IEEE 802.3 clause 3 */
	__u8 dst[6];
	__u8 src[6];
	__be16 type;
} NIDS_WIRE;

struct wire_vlan { /* IEEE 802.1Q clause 9.6 */
	__be16 tci;
	__be16 type;
} NIDS_WIRE;
#define VLAN_ID 0x0fff /* of tci */

struct wire_arp { /* RFC 826, Ethernet and IPv4 */
	__be16 hardware_type;
	__be16 protocol_type;
	__u8 hardware_len; /* bytes */
	__u8 protocol_len; /* bytes */
	__be16 operation;
} NIDS_WIRE;

struct wire_ipv4 {	  /* RFC 791 section 3.1 */
	__u8 version_ihl; /* ihl in 32-bit words */
	__u8 dscp_ecn;
	__be16 total_len; /* bytes, this header included */
	__be16 id;
	__be16 frag; /* flags, and the offset in 8 bytes */
	__u8 ttl;
	__u8 protocol;
	__be16 checksum;
	__u32 src;
	__u32 dst;
} NIDS_WIRE;
#define IPV4_OPTION_LSRR     131
#define IPV4_OPTION_SSRR     137
#define IPV4_MORE_FRAGMENTS  0x2000
#define IPV4_FRAGMENT_OFFSET 0x1fff

/* Those of IPv4 and of TCP: both header lengths are 4 bits of words, and the two
 * options without a length are the same.
 */
#define IP_OPTIONS_MAX 40 /* bytes */
#define IP_OPTION_END  0
#define IP_OPTION_NOP  1

struct ip_options {
	__u8 byte[IP_OPTIONS_MAX + 8]; /* zero behind the last, so that no look-ahead misses */
};

struct wire_ipv6 { /* RFC 8200 section 3 */
	__be32 version_class_label;
	__be16 payload_len; /* bytes after this header */
	__u8 next_header;
	__u8 hop_limit;
	__u32 src[4];
	__u32 dst[4];
} NIDS_WIRE;

struct wire_ipv6_extension { /* RFC 6564; the fragment header (RFC 8200 4.5) fits it */
	__u8 next_header;
	__u8 len; /* 8 bytes beyond the first 8; AH: 4 bytes beyond the first 8 */
	/* Fragment: offset in 8 bytes, 2 bits, M. Routing: its type, segments left. */
	__u8 fragment_offset_or_type[2];
	__be32 rest;
} NIDS_WIRE;
#define IPV6_FRAGMENT_OFFSET 0xfff8
#define IPV6_MORE_FRAGMENTS  0x0001

struct wire_ports { /* what TCP, UDP and SCTP begin with */
	__be16 src_port;
	__be16 dst_port;
} NIDS_WIRE;

struct wire_tcp { /* RFC 9293 section 3.1 */
	__be16 src_port;
	__be16 dst_port;
	__be32 seq;
	__be32 ack;
	__u8 data_offset; /* upper 4 bits, in 32-bit words */
	__u8 flags;
	__be16 window;
	__be16 checksum;
	__be16 urgent;
} NIDS_WIRE;
#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20

#define TCP_OPTION_MSS		2
#define TCP_OPTION_WINDOW_SCALE 3
#define TCP_OPTION_SACK		4
#define TCP_OPTION_TIMESTAMPS	8

struct wire_udp { /* RFC 768 */
	__be16 src_port;
	__be16 dst_port;
	__be16 len; /* bytes, this header included */
	__be16 checksum;
} NIDS_WIRE;

struct wire_sctp { /* RFC 9260 section 3.1 */
	__be16 src_port;
	__be16 dst_port;
	__be32 tag;
	__be32 checksum;
} NIDS_WIRE;

struct wire_icmp { /* RFC 792, RFC 4443 section 2.1 */
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be16 echo_id; /* echo messages only */
	__be16 echo_seq;
} NIDS_WIRE;
#define ICMP_ECHO_REPLY	    0
#define ICMP_UNREACHABLE    3
#define ICMP_SOURCE_QUENCH  4
#define ICMP_REDIRECT	    5
#define ICMP_ECHO_REQUEST   8
#define ICMP_TIME_EXCEEDED  11
#define ICMP_PARAMETER	    12
#define ICMPV6_ERROR_FIRST  1 /* unreachable, too big, time exceeded, parameter problem */
#define ICMPV6_ERROR_LAST   4
#define ICMPV6_ECHO_REQUEST 128
#define ICMPV6_ECHO_REPLY   129

struct wire_gre { /* RFC 2784 section 2.1, RFC 2890; optional words follow */
	__be16 flags;
	__be16 protocol;
} NIDS_WIRE;
#define GRE_CHECKSUM 0x8000
#define GRE_KEY	     0x2000
#define GRE_SEQUENCE 0x1000
#define GRE_UNKNOWN  0x4fff /* routing, reserved bits, and any version but 0 */

struct wire_vxlan { /* RFC 7348 section 5 */
	__u8 flags;
	__u8 reserved[3];
	__be32 vni; /* in the upper 24 bits */
} NIDS_WIRE;
#define VXLAN_PORT	 4789
#define VXLAN_PORT_LINUX 8472 /* what Linux took before there was another, and takes still */
#define VXLAN_HAS_VNI	 0x08

struct wire_geneve { /* RFC 8926 section 3.4 */
	__u8 version_len;
	__u8 flags;
	__be16 protocol;
	__be32 vni;
} NIDS_WIRE;
#define GENEVE_PORT    6081
#define GENEVE_VERSION 0xc0

/* IANA protocol numbers; extension headers in the second group. */
#define PROTO_ICMP   1
#define PROTO_IGMP   2
#define PROTO_IPV4   4 /* IP in IP, RFC 2003 */
#define PROTO_TCP    6
#define PROTO_UDP    17
#define PROTO_IPV6   41 /* RFC 4213 */
#define PROTO_GRE    47
#define PROTO_ICMPV6 58
#define PROTO_SCTP   132

#define PROTO_HOP_BY_HOP  0
#define PROTO_ROUTING	  43
#define PROTO_FRAGMENT	  44
#define PROTO_AH	  51
#define PROTO_NO_NEXT	  59
#define PROTO_DESTINATION 60
#define PROTO_MOBILITY	  135
#define PROTO_HIP	  139
#define PROTO_SHIM6	  140

#endif
