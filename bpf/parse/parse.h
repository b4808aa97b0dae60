/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* parse: one frame to one struct nids_packet, each header once, in their order.
 * Pure: no maps, no helpers. The caller gives `p` zeroed, but for a VLAN tag
 * that its hook took off the frame.
 */
#ifndef NIDS_PARSE_PARSE_H
#define NIDS_PARSE_PARSE_H

#include "ipv4.h"
#include "ipv6.h"
#include "link.h"
#include "transport.h"

/* From the network header on; p->ether_type says which. */
static __always_inline enum nids_parse_result parse_network(struct cursor *c, struct nids_packet *p)
{
	enum nids_parse_result result;
	__u32 l4_len = 0;

	p->transport = NIDS_TRANSPORT_COUNT;
	p->network = NIDS_NETWORK_OTHER;
	result = parse_vlans(c, p);
	if (result != NIDS_PARSE_OK)
		return result;
	p->l3_offset = c->offset;

	switch (p->ether_type) {
	case ETHER_ARP:
		p->network = NIDS_NETWORK_ARP;
		return parse_arp(c);
	case ETHER_IPV4:
		p->network = NIDS_NETWORK_IPV4;
		result = parse_ipv4(c, p, &l4_len);
		break;
	case ETHER_IPV6:
		p->network = NIDS_NETWORK_IPV6;
		result = parse_ipv6(c, p, &l4_len);
		break;
	default:
		return NIDS_PARSE_NOT_IP;
	}
	if (result == NIDS_PARSE_LATER_FRAGMENT)
		p->transport = NIDS_TRANSPORT_FRAGMENT;
	if (result != NIDS_PARSE_OK)
		return result;

	result = parse_transport(c, p, l4_len);
	if (result == NIDS_PARSE_OK)
		p->flags |= NIDS_PACKET_IS_FLOW;
	return result;
}

/* Where the link header's result was `result`. */
static __always_inline enum nids_parse_result
parse_behind_link(struct cursor *c, struct nids_packet *p, enum nids_parse_result result)
{
	if (result == NIDS_PARSE_OK)
		return parse_network(c, p);
	p->network = NIDS_NETWORK_OTHER;
	p->transport = NIDS_TRANSPORT_COUNT;
	return result;
}

/* From the Ethernet header on. */
static __always_inline enum nids_parse_result parse_frame(struct cursor *c, struct nids_packet *p)
{
	return parse_behind_link(c, p, parse_ethernet(c, p));
}

#endif
