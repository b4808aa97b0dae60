/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What may stand between an IP header and its transport: IPv6 extension headers,
 * and AH behind IPv4 too. Pure: no maps, no helpers.
 */
#ifndef NIDS_PARSE_EXTENSION_H
#define NIDS_PARSE_EXTENSION_H

#include "cursor.h"

#define IP_DATAGRAM_MAX 65535u

/* Where extension headers must end, in bytes from the frame's first byte. All headers after them,
 * also those inside a tunnel, take less than 4,096 bytes. So every offset fits into 16 bits.
 */
#define EXTENSIONS_END_MAX 0xf000u

/* Each extension header is 8 bytes, and `len` times the bytes in the low bits. A
 * table and not a switch: in a walk of many steps the verifier would multiply the
 * branches of each.
 */
#define EXTENSION	   0x80
#define EXTENSION_FRAGMENT 0x40
#define EXTENSION_UNIT	   0x0f

static const __u8 ip_extension[256] = {
    [PROTO_HOP_BY_HOP] = EXTENSION | 8,
    [PROTO_ROUTING] = EXTENSION | 8,
    [PROTO_FRAGMENT] = EXTENSION | EXTENSION_FRAGMENT, /* RFC 8200 section 4.5: always 8 */
    [PROTO_AH] = EXTENSION | 4,			       /* RFC 4302 section 2.2 */
    [PROTO_DESTINATION] = EXTENSION | 8,
    [PROTO_MOBILITY] = EXTENSION | 8,
    [PROTO_HIP] = EXTENSION | 8,
    [PROTO_SHIM6] = EXTENSION | 8,
};

static __always_inline __u32 extension_len(__u8 kind, const struct wire_ipv6_extension *ext)
{
	return 8 + ext->len * (kind & EXTENSION_UNIT);
}

/* Offset and flags, of a fragment header. */
static __always_inline __u32 extension_fragment(const struct wire_ipv6_extension *ext)
{
	return (__u32)ext->fragment_offset_or_type[0] << 8 | ext->fragment_offset_or_type[1];
}

/* RFC 791 section 3.2 and RFC 1858: what is told of a fragment. Only the first
 * carries ports: a later one is its own result, because its payload is no header.
 */
static __always_inline enum nids_parse_result parse_fragment(struct nids_packet *p, __u32 id,
							     __u32 offset_bytes, int has_more,
							     __u32 hdr_len, __u32 l4_len)
{
	if (offset_bytes || has_more)
		p->fragment_id = id;
	if (offset_bytes) {
		if (offset_bytes + hdr_len + l4_len > IP_DATAGRAM_MAX)
			p->quirks |= NIDS_QUIRK_OVERSIZED;
		if (p->l4_proto == PROTO_TCP && offset_bytes < sizeof(struct wire_tcp))
			p->quirks |= NIDS_QUIRK_HEADER_FRAGMENT;
		return NIDS_PARSE_LATER_FRAGMENT;
	}
	if (has_more)
		p->flags |= NIDS_PACKET_FIRST_FRAGMENT;
	return NIDS_PARSE_OK;
}

/* One extension header (RFC 8200 section 4). `l4_len` shrinks by it; `hdr_len` is
 * what stands before it, from the IP header on.
 */
static __always_inline enum nids_parse_result
parse_extension(struct cursor *c, struct nids_packet *p, __u32 *l4_len, __u32 hdr_len)
{
	struct wire_ipv6_extension ext;
	__u8 kind = ip_extension[p->l4_proto];
	enum nids_parse_result result = cursor_peek(c, &ext, sizeof(ext));

	if (result != NIDS_PARSE_OK)
		return result;

	__u32 len = extension_len(kind, &ext);

	if (p->l4_proto == PROTO_ROUTING && ext.fragment_offset_or_type[0] == 0)
		p->quirks |= NIDS_QUIRK_RH0;
	p->l4_proto = ext.next_header;
	if (len > *l4_len)
		return NIDS_PARSE_BAD_LENGTH;
	*l4_len -= len;
	c->offset += len;
	if (c->offset > EXTENSIONS_END_MAX)
		return NIDS_PARSE_TOO_MANY_EXTENSIONS;
	if (!(kind & EXTENSION_FRAGMENT))
		return NIDS_PARSE_OK;

	__u32 fragment = extension_fragment(&ext);

	return parse_fragment(p, be32(ext.rest), fragment & IPV6_FRAGMENT_OFFSET,
			      fragment & IPV6_MORE_FRAGMENTS, hdr_len, *l4_len);
}

#endif
