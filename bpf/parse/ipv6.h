/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One IPv6 header and its extension headers. Pure: no maps, no helpers. */
#ifndef NIDS_PARSE_IPV6_H
#define NIDS_PARSE_IPV6_H

#include "extension.h"

/* A bound for the verifier, and for senders: RFC 8200 section 4.1 lists 7
 * headers that may stand in one packet, destination options twice among them.
 */
#define IPV6_EXTENSIONS_MAX 8

/* RFC 8200 section 3. Leaves the cursor on the first transport byte. */
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
	if (c->reading == WHOLE && payload_len == 0 && rest > IP_DATAGRAM_MAX)
		payload_len = rest; /* BIG TCP, or a jumbogram (RFC 2675) */
	if (payload_len > rest)
		return NIDS_PARSE_BAD_LENGTH;

	__builtin_memcpy(p->src, ip.src, 16);
	__builtin_memcpy(p->dst, ip.dst, 16);
	p->l4_proto = ip.next_header;
	p->ip_version = 6;
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
	}
	return ip_extension[p->l4_proto] ? NIDS_PARSE_TOO_MANY_EXTENSIONS : NIDS_PARSE_OK;
}

#endif
