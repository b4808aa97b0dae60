/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One IPv4 header with its options. Pure: no maps, no helpers. */
#ifndef NIDS_PARSE_IPV4_H
#define NIDS_PARSE_IPV4_H

#include "extension.h"

/* A table and not a branch: the verifier would follow each walk that has met one. */
static const __u8 ipv4_option_quirk[256] = {
    [IPV4_OPTION_LSRR] = NIDS_QUIRK_SOURCE_ROUTE,
    [IPV4_OPTION_SSRR] = NIDS_QUIRK_SOURCE_ROUTE,
};

/* RFC 791 section 3.1: the options that lead a packet elsewhere, and lengths that
 * lie. Hosts take such packets or drop them; either way they are read on.
 * Returns NIDS_QUIRK_*.
 */
NIDS_CHECKED_ONCE int nids_ipv4_option_quirks(const struct ip_options *options, __u32 len)
{
	__u32 next = 0, any = len;
	int quirks = 0;

	if (!options)
		return 0;
	NIDS_NO_UNROLL
	for (__u32 i = 0; i < IP_OPTIONS_MAX; i++) {
		__u8 kind = options->byte[i], option_len = options->byte[i + 1];

		if (i < next)
			continue;
		if (i >= len || kind == IP_OPTION_END)
			break;
		next = forget(i + 1, any);
		if (kind == IP_OPTION_NOP)
			continue;
		quirks |= ipv4_option_quirk[kind];
		next = forget(i + option_len, any);
		if (option_len < 2 || next > len) {
			quirks |= NIDS_QUIRK_BAD_OPTIONS;
			break;
		}
	}
	return quirks;
}

/* A total length of 0 means the rest of the frame for TCP that has not been cut into segments yet
 * (iph_totlen() in Linux), and for TCP that is too long for the field (BIG TCP).
 */
static __always_inline __u32 ipv4_total_len(const struct cursor *c, const struct wire_ipv4 *ip,
					    __u32 rest)
{
	__u32 total_len = be16(ip->total_len);

	if (total_len == 0 && ip->protocol == PROTO_TCP &&
	    (c->zero_means_rest || rest > IP_DATAGRAM_MAX))
		return rest;
	return total_len;
}

/* RFC 791 section 3.1. Leaves the cursor on the first transport byte. `l4_len` is the number of
 * transport bytes by the total length, so that Ethernet padding is not payload. Stores the
 * addresses before it checks a length, so that the alert about a wrong length has a sender.
 */
static __always_inline enum nids_parse_result parse_ipv4(struct cursor *c, struct nids_packet *p,
							 __u32 *l4_len)
{
	struct wire_ipv4 ip;
	enum nids_parse_result result = cursor_peek(c, &ip, sizeof(ip));

	if (result != NIDS_PARSE_OK)
		return result;

	__u32 hdr_len = (ip.version_ihl & 0x0f) * 4u;
	__u32 frag = be16(ip.frag);
	__u32 total_len = be16(ip.total_len);
	__u32 rest = c->wire_len - c->offset;

	if (c->reading == PLAIN) {
		if (ip.version_ihl != 0x45 || frag & (IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET) ||
		    total_len < sizeof(ip) || total_len > rest)
			return (enum nids_parse_result)NIDS_PARSE_DEFERRED;
		hdr_len = sizeof(ip); /* a constant: the verifier then knows each offset */
	} else if (ip.version_ihl >> 4 != 4) {
		return NIDS_PARSE_BAD_HEADER;
	}
	__builtin_memcpy(p->src, &ip.src, 4);
	__builtin_memcpy(p->dst, &ip.dst, 4);
	p->l4_proto = ip.protocol;
	p->ip_version = 4;
	if (c->reading == WHOLE) {
		total_len = ipv4_total_len(c, &ip, rest);
		if (hdr_len < sizeof(ip))
			return NIDS_PARSE_BAD_HEADER;
		if (total_len < hdr_len || (total_len > rest && hdr_len <= rest))
			return NIDS_PARSE_BAD_LENGTH;
		if (hdr_len > rest)
			return NIDS_PARSE_TRUNCATED;
	}
	*l4_len = total_len - hdr_len;
	c->offset += sizeof(ip);
	if (c->reading == PLAIN)
		return NIDS_PARSE_OK;
	if (hdr_len > sizeof(ip)) {
		struct ip_options options = {};
		__u32 len = hdr_len - sizeof(ip);

		result = cursor_peek_up_to(c, options.byte, len, IP_OPTIONS_MAX);
		if (result != NIDS_PARSE_OK)
			return result;
		p->quirks |= nids_ipv4_option_quirks(&options, len);
		c->offset += len;
	}
	result = parse_fragment(p, be16(ip.id), (frag & IPV4_FRAGMENT_OFFSET) * 8,
				frag & IPV4_MORE_FRAGMENTS, hdr_len, *l4_len);
	if (result != NIDS_PARSE_OK || p->l4_proto != PROTO_AH)
		return result;
	return parse_extension(c, p, l4_len, hdr_len); /* RFC 4302: AH stands here too */
}

#endif
