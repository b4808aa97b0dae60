/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ethernet, its VLAN tags, and ARP. Pure: no maps, no helpers. */
#ifndef NIDS_PARSE_LINK_H
#define NIDS_PARSE_LINK_H

#include "cursor.h"

/* IEEE 802.3. Leaves the cursor behind the EtherType. */
static __always_inline enum nids_parse_result parse_ethernet(struct cursor *c,
							     struct nids_packet *p)
{
	const struct wire_ethernet *eth = c->pos;

	if (cursor_lacks(c, sizeof(*eth)))
		return cursor_miss(c, sizeof(*eth));
	p->ether_type = be16(eth->type);
	cursor_skip(c, sizeof(*eth));
	return NIDS_PARSE_OK;
}

/* IEEE 802.1Q tags in any order of C- and S-tag. A tag that the hook took off
 * the frame is in `p` already.
 */
static __always_inline enum nids_parse_result parse_vlans(struct cursor *c, struct nids_packet *p)
{
	for (int i = 0; i < NIDS_VLAN_MAX + 1; i++) {
		const struct wire_vlan *tag = c->pos;

		if (p->ether_type != ETHER_VLAN && p->ether_type != ETHER_QINQ)
			return NIDS_PARSE_OK;
		if (p->vlan_count >= NIDS_VLAN_MAX)
			return NIDS_PARSE_TOO_MANY_TAGS;
		if (cursor_lacks(c, sizeof(*tag)))
			return cursor_miss(c, sizeof(*tag));
		p->vlan[p->vlan_count++] = be16(tag->tci) & 0x0fff;
		p->ether_type = be16(tag->type);
		cursor_skip(c, sizeof(*tag));
	}
	return NIDS_PARSE_TOO_MANY_TAGS;
}

/* RFC 826. Addresses are not kept here: an ARP packet belongs to no flow. */
static __always_inline enum nids_parse_result parse_arp(struct cursor *c)
{
	const struct wire_arp *arp = c->pos;

	if (cursor_lacks(c, sizeof(*arp)))
		return cursor_miss(c, sizeof(*arp));
	__u32 body_len = 2u * arp->hardware_len + 2u * arp->protocol_len;

	if (c->offset + sizeof(*arp) + body_len > c->wire_len)
		return NIDS_PARSE_BAD_LENGTH;
	return NIDS_PARSE_OK;
}

#endif
