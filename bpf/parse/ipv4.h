/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One IPv4 header. Pure: no maps, no helpers. */
#ifndef NIDS_PARSE_IPV4_H
#define NIDS_PARSE_IPV4_H

#include "cursor.h"

/* RFC 791 section 3.1. Leaves the cursor on the first transport byte and gives
 * the bytes of transport by total_len in `l4_len`, so that Ethernet padding is
 * not payload. Only the first fragment carries ports: a later one is its own
 * result, because its payload is no header.
 */
static __always_inline enum nids_parse_result parse_ipv4(struct cursor *c, struct nids_packet *p,
							 __u32 *l4_len)
{
	const struct wire_ipv4 *ip = c->pos;

	if (cursor_lacks(c, sizeof(*ip)))
		return cursor_miss(c, sizeof(*ip));

	__u32 hdr_len = (ip->version_ihl & 0x0f) * 4u;
	__u32 frag = be16(ip->frag);
	__u32 total_len = be16(ip->total_len);
	__u32 rest = c->wire_len - c->offset;

	if (ip->version_ihl >> 4 != 4 || hdr_len < sizeof(*ip))
		return NIDS_PARSE_BAD_HEADER;
	/* A GSO packet too long for the field (BIG TCP) carries 0; none on a wire does. */
	if (total_len == 0 && rest > 0xffff)
		total_len = rest;
	if (total_len < hdr_len || (total_len > rest && hdr_len <= rest))
		return NIDS_PARSE_BAD_LENGTH;
	if (cursor_lacks(c, hdr_len))
		return cursor_miss(c, hdr_len);

	__builtin_memcpy(p->src, (const void *)&ip->src, 4);
	__builtin_memcpy(p->dst, (const void *)&ip->dst, 4);
	p->l4_proto = ip->protocol;
	p->ip_version = 4;
	*l4_len = total_len - hdr_len;
	cursor_skip(c, hdr_len);
	if (frag & IPV4_FRAGMENT_OFFSET)
		return NIDS_PARSE_LATER_FRAGMENT;
	if (frag & IPV4_MORE_FRAGMENTS)
		p->flags |= NIDS_PACKET_FIRST_FRAGMENT;
	return NIDS_PARSE_OK;
}

#endif
