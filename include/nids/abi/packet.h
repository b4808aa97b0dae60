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
#define NIDS_PACKET_IS_FLOW	   0x04 /* parsed to the end: it belongs to a flow */

struct nids_packet {
	__u8 src[16] NIDS_WORD_ALIGNED; /* IPv4 in the first 4 bytes, the rest zero */
	__u8 dst[16];
	__u16 src_port; /* host order; ICMP echo: the identifier, both ports */
	__u16 dst_port;
	__u16 vlan[NIDS_VLAN_MAX]; /* VLAN ids, outermost first */
	__u16 ether_type;	   /* host order, of what follows the tags */
	__u16 l3_offset;	   /* bytes from the first byte given to parse */
	__u16 l4_offset;	   /* bytes; 0 where there is no transport header */
	__u16 payload_offset;	   /* bytes; 0 where headers were not read to the end */
	__u8 result;		   /* enum nids_parse_result */
	__u8 network;		   /* enum nids_network */
	__u8 transport;		   /* enum nids_transport; NIDS_TRANSPORT_COUNT: none */
	__u8 ip_version;	   /* 4, 6, or 0 */
	__u8 l4_proto;		   /* IANA protocol number after all extension headers */
	__u8 tcp_flags;		   /* RFC 9293 section 3.1, CWR to FIN */
	__u8 vlan_count;
	__u8 flags; /* NIDS_PACKET_* */
	__u8 icmp_type;
	__u8 icmp_code;
	__u32 payload_len; /* bytes by the IP length, so padding is not payload */
};
NIDS_ABI_SIZE(struct nids_packet, 64);

#endif
