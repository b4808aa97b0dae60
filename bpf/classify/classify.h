/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The protocol class of a flow and which side opened it, as far as one packet tells. Anyone can
 * forge that packet. The class of the other direction is therefore computed too, and the agent
 * decides between the two. Pure: the port table is given, no maps, no helpers.
 */
#ifndef NIDS_CLASSIFY_CLASSIFY_H
#define NIDS_CLASSIFY_CLASSIFY_H

#include "nids/abi/config.h"
#include "nids/abi/flow.h"
#include "parse/wire.h"

/* Of the packet at hand. */
struct port_pair {
	__u16 src;
	__u16 dst;
	__u8 l4_proto;
	__u8 tcp_flags;
};

struct class_choice {
	__u8 class_id;	     /* 0: none */
	__u8 other_class;    /* the class if the other side opened the connection; 0: none */
	__u8 is_from_opener; /* whether the packet's sender opened the connection */
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

/* The opener of a TCP flow is the sender of a SYN or the receiver of a SYN-ACK. Otherwise it is the
 * sender of the first packet, unless the beginning of the flow seems to be missing: only the source
 * port has a class and is not ephemeral, and the destination port is no system port.
 */
static __always_inline struct class_choice first_choice(const struct nids_port_classes *ports,
							const struct port_pair *p)
{
	struct class_choice choice = {.class_id = 0, .is_from_opener = 1};
	int is_syn = p->l4_proto == PROTO_TCP && p->tcp_flags & TCP_SYN;

	if (is_syn && p->tcp_flags & TCP_ACK) {
		choice.is_from_opener = 0;
		choice.class_id = class_of_port(ports, p->l4_proto, p->src);
		return choice;
	}
	choice.class_id = class_of_port(ports, p->l4_proto, p->dst);
	if (choice.class_id || is_syn)
		return choice;
	if (is_ephemeral(p->src) || p->dst <= SYSTEM_PORT_LAST)
		return choice;
	choice.class_id = class_of_port(ports, p->l4_proto, p->src);
	if (choice.class_id)
		choice.is_from_opener = 0;
	return choice;
}

/* The class if the other side opened the flow: that of the port of `opener`. In TCP the agent can
 * rule it out by the handshake. UDP has none, so one rule is applied here: a system port without a
 * class belongs to the server. A DNS query from port 53413 is therefore not netis.
 */
static __always_inline __u8 other_class_of(const struct nids_port_classes *ports, __u8 l4_proto,
					   __u16 opener, __u16 responder, __u8 class_id)
{
	__u8 other = class_of_port(ports, l4_proto, opener);

	if (l4_proto != PROTO_TCP && !class_id && responder <= SYSTEM_PORT_LAST &&
	    opener > SYSTEM_PORT_LAST)
		return 0;
	return other;
}

static __always_inline struct class_choice classify(const struct nids_port_classes *ports,
						    const struct port_pair *p)
{
	struct class_choice choice = first_choice(ports, p);
	__u16 opener = choice.is_from_opener ? p->src : p->dst;
	__u16 responder = choice.is_from_opener ? p->dst : p->src;

	choice.other_class = other_class_of(ports, p->l4_proto, opener, responder, choice.class_id);
	return choice;
}

#endif
