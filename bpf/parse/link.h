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

/* A bound, because the verifier needs one. Linux removes any number of tags with id 0. */
#define ETHER_TAGS_MAX 64

static __always_inline int is_tag(__u16 ether_type)
{
	return ether_type == ETHER_VLAN || ether_type == ETHER_QINQ;
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

/* One tag. A tag with id 0 has a priority and no VLAN (IEEE 802.1Q clause 6.9). Hosts remove it, so
 * a packet belongs to the same flow with and without it.
 */
static __always_inline enum nids_parse_result parse_tag(struct cursor *c, struct nids_packet *p,
							const int takes_id_0)
{
	struct wire_vlan tag;
	enum nids_parse_result result = cursor_peek(c, &tag, sizeof(tag));
	__u16 id;

	if (result != NIDS_PARSE_OK)
		return result;
	id = be16(tag.tci) & VLAN_ID;
	if (id == 0 && !takes_id_0)
		return (enum nids_parse_result)NIDS_PARSE_DEFERRED;
	if (id != 0 && p->vlan_count >= NIDS_VLAN_MAX)
		return NIDS_PARSE_TOO_MANY_TAGS;
	if (id != 0)
		keep_vlan(p, id);
	p->ether_type = be16(tag.type);
	c->offset += sizeof(tag);
	return NIDS_PARSE_OK;
}

/* Reads up to 3 tags, as nearly all tagged frames have. Only the first may have id 0, because each
 * tag that may have it doubles the paths that the verifier follows.
 */
static __always_inline enum nids_parse_result parse_plain_vlans(struct cursor *c,
								struct nids_packet *p)
{
	NIDS_UNROLL
	for (int i = 0; i < NIDS_VLAN_MAX; i++) {
		enum nids_parse_result result;

		if (!is_tag(p->ether_type))
			return NIDS_PARSE_OK;
		result = parse_tag(c, p, i == 0);
		if (result != NIDS_PARSE_OK)
			return result;
	}
	return is_tag(p->ether_type) ? (enum nids_parse_result)NIDS_PARSE_DEFERRED : NIDS_PARSE_OK;
}

/* Reads IEEE 802.1Q tags, C- and S-tags in any order. A tag that the hook took off the frame is in
 * `p` already.
 */
static __always_inline enum nids_parse_result parse_vlans(struct cursor *c, struct nids_packet *p)
{
	NIDS_NO_UNROLL
	for (__u32 i = c->tags_beside; i < ETHER_TAGS_MAX; i++) {
		enum nids_parse_result result;

		if (!is_tag(p->ether_type))
			return NIDS_PARSE_OK;
		result = parse_tag(c, p, 1);
		if (result != NIDS_PARSE_OK)
			return result;
		c->offset = forget(c->offset, c->wire_len);
	}
	return is_tag(p->ether_type) ? NIDS_PARSE_TOO_MANY_TAGS : NIDS_PARSE_OK;
}

/* parse_vlans() for the slow path. A program may define it as a call of a separate function. */
#ifndef parse_vlans_whole
#define parse_vlans_whole(c, p) parse_vlans(c, p)
#endif

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
