/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One IPv6 header and its extension headers. Pure: no maps, no helpers. */
#ifndef NIDS_PARSE_IPV6_H
#define NIDS_PARSE_IPV6_H

#include "extension.h"

/* A bound, because the verifier needs one. RFC 8200 section 4.1 lists 7 headers for one packet, but
 * Linux reads as many as there are. 180 and a TCP header fit into 1,500 bytes.
 */
#define IPV6_EXTENSIONS_MAX 192

/* A payload length of 0 means the rest of the frame in three cases. Hop-by-hop options follow:
 * Linux then ignores the length, for jumbograms (RFC 2675). TCP has not been cut into segments yet.
 * The rest is too long for the field: BIG TCP or a jumbogram.
 */
static __always_inline int ipv6_payload_is_rest(const struct cursor *c, __u8 next_header,
						__u32 rest)
{
	return next_header == PROTO_HOP_BY_HOP || rest > IP_DATAGRAM_MAX ||
	       (next_header == PROTO_TCP && c->zero_means_rest);
}

/* RFC 8200 section 3. Leaves the cursor on the first transport byte. Stores the addresses before it
 * checks a length, so that the alert about a wrong length has a sender.
 */
static __always_inline enum nids_parse_result parse_ipv6(struct cursor *c, struct nids_packet *p,
							 __u32 *l4_len)
{
	struct wire_ipv6 ip;
	enum nids_parse_result result = cursor_peek(c, &ip, sizeof(ip));

	if (result != NIDS_PARSE_OK)
		return result;

	__u32 payload_len = be16(ip.payload_len);
	__u32 rest = c->wire_len - c->offset - sizeof(ip);
	__u32 start = c->offset + sizeof(ip); /* a payload length does not count this header */

	if (be32(ip.version_class_label) >> 28 != 6)
		return NIDS_PARSE_BAD_HEADER;
	__builtin_memcpy(p->src, ip.src, 16);
	__builtin_memcpy(p->dst, ip.dst, 16);
	p->l4_proto = ip.next_header;
	p->ip_version = 6;
	if (c->reading == WHOLE && payload_len == 0 &&
	    ipv6_payload_is_rest(c, ip.next_header, rest))
		payload_len = rest;
	if (payload_len > rest)
		return NIDS_PARSE_BAD_LENGTH;
	*l4_len = payload_len;
	c->offset += sizeof(ip);
	if (c->reading == PLAIN)
		return NIDS_PARSE_OK; /* parse_transport() defers all that it doesn't know */

	NIDS_NO_UNROLL
	for (int i = 0; i < IPV6_EXTENSIONS_MAX; i++) {
		if (!ip_extension[p->l4_proto])
			return NIDS_PARSE_OK;
		result = parse_extension(c, p, l4_len, c->offset - start);
		if (result != NIDS_PARSE_OK)
			return result;
		c->offset = forget(c->offset, c->wire_len);
		*l4_len = forget(*l4_len, c->wire_len);
	}
	return ip_extension[p->l4_proto] ? NIDS_PARSE_TOO_MANY_EXTENSIONS : NIDS_PARSE_OK;
}

#endif
