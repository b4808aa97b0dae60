/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The protocol class of a flow, and which side opened it, by what its first
 * packet tells. Pure: the port table is given, no maps, no helpers.
 */
#ifndef NIDS_CLASSIFY_CLASSIFY_H
#define NIDS_CLASSIFY_CLASSIFY_H

#include "nids/abi/config.h"
#include "nids/abi/flow.h"
#include "nids/abi/packet.h"
#include "parse/wire.h"

struct nids_class_choice {
	__u8 class_id; /* 0: none */
	__u8 opener;   /* enum nids_sender */
};

/* Linux's default net.ipv4.ip_local_port_range. */
#define EPHEMERAL_FIRST	 32768
#define EPHEMERAL_LAST	 60999
#define SYSTEM_PORT_LAST 1023 /* RFC 6335 section 6 */

static __always_inline int is_ephemeral(__u16 port)
{
	return port >= EPHEMERAL_FIRST && port <= EPHEMERAL_LAST;
}

static __always_inline __u8 class_of_port(const struct nids_port_classes *ports, __u8 l4_proto,
					  __u16 port)
{
	if (l4_proto == PROTO_TCP)
		return ports->tcp[port];
	if (l4_proto == PROTO_UDP)
		return ports->udp[port];
	return 0;
}

static __always_inline int is_opening_syn(const struct nids_packet *p)
{
	return p->l4_proto == PROTO_TCP && (p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* The opener of a TCP flow is known by SYN, or by SYN-ACK turned round; else the
 * first packet seen counts as the opener's. A source port decides only where
 * the flow looks picked up midstream: no SYN, a service's port towards a port
 * that no service has.
 */
static __always_inline struct nids_class_choice classify(const struct nids_port_classes *ports,
							 const struct nids_packet *p, __u8 sender)
{
	struct nids_class_choice choice = {.class_id = 0, .opener = sender};
	int is_syn = p->l4_proto == PROTO_TCP && p->tcp_flags & TCP_SYN;

	if (is_syn && p->tcp_flags & TCP_ACK) {
		choice.opener = !sender;
		choice.class_id = class_of_port(ports, p->l4_proto, p->src_port);
		return choice;
	}
	choice.class_id = class_of_port(ports, p->l4_proto, p->dst_port);
	if (choice.class_id || is_syn)
		return choice;
	if (is_ephemeral(p->src_port) || p->dst_port <= SYSTEM_PORT_LAST)
		return choice;
	choice.class_id = class_of_port(ports, p->l4_proto, p->src_port);
	if (choice.class_id)
		choice.opener = !sender;
	return choice;
}

/* Whether one packet can't tell a service's port from a client's own: a class
 * on a port of the ephemeral range (netis) and no SYN. The reply may come first
 * on its CPU, so what the opening packet told must be remembered across CPUs.
 */
static __always_inline int is_ambiguous(const struct nids_port_classes *ports,
					const struct nids_packet *p)
{
	if (p->l4_proto == PROTO_TCP && p->tcp_flags & TCP_SYN)
		return 0;
	return (is_ephemeral(p->dst_port) && class_of_port(ports, p->l4_proto, p->dst_port)) ||
	       (is_ephemeral(p->src_port) && class_of_port(ports, p->l4_proto, p->src_port));
}

#endif
