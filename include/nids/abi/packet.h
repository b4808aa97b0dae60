/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What parse found out about one packet: written by bpf/parse, read by every
 * later stage on both sides. Holds no pointer.
 */
#ifndef NIDS_ABI_PACKET_H
#define NIDS_ABI_PACKET_H

#include "lists.h"

#define NIDS_VLAN_MAX 3 /* tags; 802.1ad in 802.1ad in 802.1Q */

/* nids_packet.flags */
#define NIDS_PACKET_FIRST_FRAGMENT 0x01 /* fragmented, and this is the part with the ports */
#define NIDS_PACKET_HAS_PORTS	   0x02 /* ports are TCP, UDP or SCTP ports */
#define NIDS_PACKET_IS_FLOW	   0x04 /* parsed far enough to belong to a flow */
#define NIDS_PACKET_TO_BROADCAST   0x08 /* to the broadcast MAC address */
#define NIDS_PACKET_IS_ICMP_ERROR  0x10 /* carries the packet that it is about */
#define NIDS_PACKET_IS_RELATED                                                                     \
	0x20			      /* belongs to a known flow that its own headers don't name:  \
				       * an ICMP error to that of the packet it is about, a        \
				       * later fragment to that of its datagram                    \
				       */
#define NIDS_PACKET_IS_TUNNELLED 0x40 /* its addresses are those inside the tunnel */

/* nids_packet.quirks: what headers hold that no honest one does. */
#define NIDS_QUIRK_SOURCE_ROUTE	   0x0001 /* RFC 791: loose or strict */
#define NIDS_QUIRK_BAD_OPTIONS	   0x0002
#define NIDS_QUIRK_RH0		   0x0004 /* RFC 5095 */
#define NIDS_QUIRK_OVERSIZED	   0x0008 /* a fragment that ends past 65,535 */
#define NIDS_QUIRK_TINY_FRAGMENT   0x0010 /* RFC 1858 section 3.1 */
#define NIDS_QUIRK_HEADER_FRAGMENT 0x0020 /* RFC 1858 section 3.2 */

/* Of a tunnelled packet, `network`, `transport`, VLAN ids and ether_type are the
 * outermost's, and all else is that of the innermost headers that make a flow.
 */
struct nids_packet {
	__u8 src[16] NIDS_WORD_ALIGNED; /* IPv4 in the first 4 bytes, the rest zero */
	__u8 dst[16];
	__u16 src_port; /* host order; ICMP: see bpf/parse/transport.h; a later fragment that is
			 * related: its datagram's
			 */
	__u16 dst_port;
	__u16 vlan[NIDS_VLAN_MAX]; /* VLAN ids, outermost first, without id 0 */
	__u16 ether_type;	   /* host order, of what follows the tags */
	__u16 l3_offset;	   /* bytes from the first byte given to parse */
	__u16 l4_offset;	   /* bytes; 0 where there is no transport header */
	__u16 payload_offset;	   /* bytes; 0 where headers were not read to the end */
	__u8 result;		   /* enum nids_parse_result */
	__u8 network;		   /* enum nids_network */
	__u8 transport;		   /* enum nids_transport; NIDS_TRANSPORT_COUNT: none */
	__u8 ip_version;	   /* 4, 6, or 0; set also for packets without a flow */
	__u8 l4_proto;		   /* IANA protocol number after all extension headers */
	__u8 tcp_flags;		   /* RFC 9293 section 3.1, CWR to FIN; 0 in a tiny fragment */
	__u8 vlan_count;
	__u8 flags; /* NIDS_PACKET_* */
	__u8 icmp_type;
	__u8 icmp_code;
	__u32 payload_len; /* bytes by the IP length, so padding is not payload */
	__u32 fragment_id; /* of the datagram, where it is fragmented; host order */
	__u16 quirks;	   /* NIDS_QUIRK_* */
	__u8 tunnel;	   /* enum nids_tunnel */
	__u8 reserved;
};
NIDS_ABI_SIZE(struct nids_packet, 72);

/* The headers around a tunnelled packet. */
struct nids_outer {
	__u8 src[16] NIDS_WORD_ALIGNED; /* as in nids_packet */
	__u8 dst[16];
	__u16 src_port; /* VXLAN; else 0 */
	__u16 dst_port;
	__u16 l3_offset; /* bytes */
	__u8 ip_version;
	__u8 l4_proto;
	__u32 key; /* the VXLAN network identifier, or the key of GRE */
	__u8 has_key;
	__u8 reserved[3];
};
NIDS_ABI_SIZE(struct nids_outer, 48);

/* The packet that an ICMP error is about: as much as it holds of it. */
struct nids_embedded {
	__u8 src[16] NIDS_WORD_ALIGNED;
	__u8 dst[16];
	__u16 src_port; /* TCP, UDP, SCTP; ICMP echo: the identifier, both */
	__u16 dst_port;
	__u8 l4_proto;
	__u8 ip_version; /* 0: it could not be read */
	__u8 has_ports;
	__u8 reserved;
};
NIDS_ABI_SIZE(struct nids_embedded, 40);

/* nids_tcp_options.flags */
#define NIDS_TCP_HAS_MSS	  0x01
#define NIDS_TCP_HAS_WINDOW_SCALE 0x02
#define NIDS_TCP_HAS_SACK	  0x04 /* selective acknowledgement permitted */
#define NIDS_TCP_HAS_TIMESTAMPS	  0x08
#define NIDS_TCP_BAD_OPTIONS	  0x80 /* a length lies; what came before it is told */

/* Of a SYN: RFC 9293 section 3.2, RFC 7323, RFC 2018. */
struct nids_tcp_options {
	__u16 mss;	   /* bytes */
	__u8 window_scale; /* the shift */
	__u8 flags;	   /* NIDS_TCP_* */
	__u32 reserved;
};
NIDS_ABI_SIZE(struct nids_tcp_options, 8);

/* What only a record holds, and only of packets that have any of it. */
struct nids_packet_detail {
	struct nids_outer outer;
	struct nids_embedded embedded;
	struct nids_tcp_options tcp_options;
};
NIDS_ABI_SIZE(struct nids_packet_detail, 96);

#endif
