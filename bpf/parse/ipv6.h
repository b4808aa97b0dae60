/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One IPv6 header and its extension headers. Pure: no maps, no helpers. */
#ifndef NIDS_PARSE_IPV6_H
#define NIDS_PARSE_IPV6_H

#include "cursor.h"

/* A bound for the verifier, and for senders: RFC 8200 section 4.1 lists 7
 * headers that may stand in one packet, destination options twice among them.
 */
#define IPV6_EXTENSIONS_MAX 8

/* Each extension header is 8 bytes, and `len` times the bytes in the low bits. A
 * table and not a switch: in a walk of 8 steps the verifier would multiply the
 * branches of each.
 */
#define EXTENSION	   0x80
#define EXTENSION_FRAGMENT 0x40
#define EXTENSION_UNIT	   0x0f

static const __u8 ipv6_extension[256] = {
    [PROTO_HOP_BY_HOP] = EXTENSION | 8,
    [PROTO_ROUTING] = EXTENSION | 8,
    [PROTO_FRAGMENT] = EXTENSION | EXTENSION_FRAGMENT, /* RFC 8200 section 4.5: always 8 */
    [PROTO_AH] = EXTENSION | 4,			       /* RFC 4302 section 2.2 */
    [PROTO_DESTINATION] = EXTENSION | 8,
    [PROTO_MOBILITY] = EXTENSION | 8,
    [PROTO_HIP] = EXTENSION | 8,
    [PROTO_SHIM6] = EXTENSION | 8,
};

/* A mask of more than the largest, 8 + 255 * 8, which clang may not leave out: before
 * 6.10 the verifier knows no bound of a product, and none of a place behind one.
 */
static __always_inline __u32 extension_bytes(__u8 len, __u8 kind)
{
	__u32 bytes = 8 + len * (kind & EXTENSION_UNIT);

	__asm__ volatile("" : "+r"(bytes));
	return bytes & 0xfff;
}

/* RFC 8200 section 4. `l4_len` shrinks with each header that is walked over. */
static __always_inline enum nids_parse_result
parse_ipv6_extensions(struct cursor *c, struct nids_packet *p, __u32 *l4_len)
{
	NIDS_NO_UNROLL
	for (int i = 0; i < IPV6_EXTENSIONS_MAX; i++) {
		const struct wire_ipv6_extension *ext = c->pos;
		__u8 kind = ipv6_extension[p->l4_proto];

		if (!kind)
			return NIDS_PARSE_OK;
		if (cursor_lacks(c, sizeof(*ext)))
			return cursor_miss(c, sizeof(*ext));

		__u32 len = extension_bytes(ext->len, kind);
		__u32 is_fragment = kind / EXTENSION_FRAGMENT & 1;
		__u32 fragment = be16(ext->fragment_offset) * is_fragment;

		p->l4_proto = ext->next_header;
		if (len > *l4_len)
			return NIDS_PARSE_BAD_LENGTH;
		if (cursor_lacks(c, len))
			return cursor_miss(c, len);
		*l4_len -= len;
		cursor_skip(c, len);
		if (fragment & IPV6_FRAGMENT_OFFSET)
			return NIDS_PARSE_LATER_FRAGMENT;
		p->flags |= (fragment & IPV6_MORE_FRAGMENTS) * NIDS_PACKET_FIRST_FRAGMENT;
	}
	return ipv6_extension[p->l4_proto] ? NIDS_PARSE_TOO_MANY_EXTENSIONS : NIDS_PARSE_OK;
}

/* RFC 8200 section 3. Leaves the cursor on the first transport byte. */
static __always_inline enum nids_parse_result parse_ipv6(struct cursor *c, struct nids_packet *p,
							 __u32 *l4_len)
{
	const struct wire_ipv6 *ip = c->pos;

	if (cursor_lacks(c, sizeof(*ip)))
		return cursor_miss(c, sizeof(*ip));

	__u32 payload_len = be16(ip->payload_len);
	__u32 rest = c->wire_len - c->offset - sizeof(*ip);

	if (be32(ip->version_class_label) >> 28 != 6)
		return NIDS_PARSE_BAD_HEADER;
	if (payload_len == 0 && rest > 0xffff)
		payload_len = rest; /* BIG TCP, or a jumbogram (RFC 2675) */
	if (payload_len > rest)
		return NIDS_PARSE_BAD_LENGTH;

	__builtin_memcpy(p->src, (const void *)ip->src, 16);
	__builtin_memcpy(p->dst, (const void *)ip->dst, 16);
	p->l4_proto = ip->next_header;
	p->ip_version = 6;
	*l4_len = payload_len;
	cursor_skip(c, sizeof(*ip));
	return parse_ipv6_extensions(c, p, l4_len);
}

#endif
