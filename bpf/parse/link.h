/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ethernet, its VLAN tags, and ARP. Pure: no maps, no helpers. */
#ifndef NIDS_PARSE_LINK_H
#define NIDS_PARSE_LINK_H

#include "cursor.h"

/* Half of a broadcast address is enough to tell the few frames that may be to one: what a
 * packet read in place need not remember makes the rest faster.
 */
static __always_inline int may_be_broadcast(const struct wire_ethernet *eth)
{
	__u32 half;

	__builtin_memcpy(&half, eth->dst, sizeof(half));
	return half == (__u32)ETHER_BROADCAST;
}

static __always_inline int is_broadcast(const struct wire_ethernet *eth)
{
	__u64 dst = 0;

	__builtin_memcpy(&dst, eth->dst, sizeof(eth->dst));
	return dst == ETHER_BROADCAST;
}

/* IEEE 802.3. Leaves the cursor behind the EtherType. */
static __always_inline enum nids_parse_result parse_ethernet(struct cursor *c,
							     struct nids_packet *p)
{
	struct wire_ethernet eth;
	enum nids_parse_result result = cursor_peek(c, &eth, sizeof(eth));

	if (result != NIDS_PARSE_OK)
		return result;
	if (c->reading == PLAIN && may_be_broadcast(&eth))
		return (enum nids_parse_result)NIDS_PARSE_DEFERRED;
	if (c->reading == WHOLE && is_broadcast(&eth))
		p->flags |= NIDS_PACKET_TO_BROADCAST;
	p->ether_type = be16(eth.type);
	c->offset += sizeof(eth);
	return NIDS_PARSE_OK;
}

/* By constant indexes only, so that the packet can live in registers. */
static __always_inline void keep_vlan(struct nids_packet *p, __u16 id)
{
	if (p->vlan_count == 0)
		p->vlan[0] = id;
	else if (p->vlan_count == 1)
		p->vlan[1] = id;
	else
		p->vlan[2] = id;
	p->vlan_count++;
}

/* IEEE 802.1Q tags in any order of C- and S-tag. A tag that the hook took off
 * the frame is in `p` already.
 */
static __always_inline enum nids_parse_result parse_vlans(struct cursor *c, struct nids_packet *p)
{
	NIDS_UNROLL
	for (int i = 0; i < NIDS_VLAN_MAX + 1; i++) {
		struct wire_vlan tag;
		enum nids_parse_result result;

		if (p->ether_type != ETHER_VLAN && p->ether_type != ETHER_QINQ)
			return NIDS_PARSE_OK;
		if (p->vlan_count >= NIDS_VLAN_MAX)
			return NIDS_PARSE_TOO_MANY_TAGS;
		result = cursor_peek(c, &tag, sizeof(tag));
		if (result != NIDS_PARSE_OK)
			return result;
		keep_vlan(p, be16(tag.tci) & 0x0fff);
		p->ether_type = be16(tag.type);
		c->offset += sizeof(tag);
	}
	return NIDS_PARSE_TOO_MANY_TAGS;
}

/* RFC 826. Addresses are not kept here: an ARP packet belongs to no flow. */
static __always_inline enum nids_parse_result parse_arp(const struct cursor *c)
{
	struct wire_arp arp;
	enum nids_parse_result result = cursor_peek(c, &arp, sizeof(arp));

	if (result != NIDS_PARSE_OK)
		return result;
	__u32 body_len = 2u * arp.hardware_len + 2u * arp.protocol_len;

	if (c->offset + sizeof(arp) + body_len > c->wire_len)
		return NIDS_PARSE_BAD_LENGTH;
	return NIDS_PARSE_OK;
}

#endif
