/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The headers as they stand on the wire, and nothing else. All multi-byte
 * fields are in network order.
 */
#ifndef NIDS_PARSE_WIRE_H
#define NIDS_PARSE_WIRE_H

#include <linux/types.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/* The verifier knows that packet memory may be read unaligned; a native build
 * must say so to the compiler.
 */
#ifdef __bpf__
#define NIDS_WIRE
#else
#define NIDS_WIRE __attribute__((packed))
#endif

/* Before a loop: what the verifier needs of it. Other compilers choose. */
#ifdef __clang__
#define NIDS_UNROLL    _Pragma("clang loop unroll(full)")
#define NIDS_NO_UNROLL _Pragma("clang loop unroll(disable)")
#else
#define NIDS_UNROLL
#define NIDS_NO_UNROLL
#endif

#define be16(x) __builtin_bswap16(x)
#define be32(x) __builtin_bswap32(x)
#define be64(x) __builtin_bswap64(x)
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "byte order: this parser was written and tested on little-endian hosts"
#endif

/* EtherTypes, IANA "IEEE 802 Numbers". Below 0x0600 the field is a length. */
#define ETHER_IPV4 0x0800
#define ETHER_ARP  0x0806
#define ETHER_VLAN 0x8100
#define ETHER_IPV6 0x86dd
#define ETHER_QINQ 0x88a8

struct wire_ethernet { /* IEEE 802.3 clause 3 */
	__u8 dst[6];
	__u8 src[6];
	__be16 type;
} NIDS_WIRE;

struct wire_vlan { /* IEEE 802.1Q clause 9.6 */
	__be16 tci;
	__be16 type;
} NIDS_WIRE;

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
#define IPV4_MORE_FRAGMENTS  0x2000
#define IPV4_FRAGMENT_OFFSET 0x1fff

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
	__u8 len;		/* 8 bytes beyond the first 8; AH: 4 bytes beyond the first 8 */
	__be16 fragment_offset; /* fragment header only: offset in 8 bytes, 2 bits, M */
	__be32 rest;
} NIDS_WIRE;
#define IPV6_FRAGMENT_OFFSET 0xfff8
#define IPV6_MORE_FRAGMENTS  0x0001

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
#define TCP_ACK 0x10

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
#define ICMP_ECHO_REQUEST   8
#define ICMPV6_ECHO_REQUEST 128
#define ICMPV6_ECHO_REPLY   129

/* IANA protocol numbers; extension headers in the second group. */
#define PROTO_ICMP   1
#define PROTO_IGMP   2
#define PROTO_TCP    6
#define PROTO_UDP    17
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
