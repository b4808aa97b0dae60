/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What only records tell of a packet: the options of a SYN, and the packet that an
 * ICMP error is about. Pure: no maps, no helpers.
 */
#ifndef NIDS_PARSE_DETAIL_H
#define NIDS_PARSE_DETAIL_H

#include "parse.h"

static __always_inline int has_detail(const struct nids_packet *p)
{
	return p->tunnel != NIDS_TUNNEL_NONE || p->flags & NIDS_PACKET_IS_ICMP_ERROR ||
	       (p->l4_proto == PROTO_TCP && p->tcp_flags & TCP_SYN);
}

/* In one register: MSS in bits 0-15, window shift in 16-23, NIDS_TCP_* in 24-31. */
NIDS_CHECKED_ONCE __u32 nids_tcp_option_facts(const struct ip_options *options, __u32 len)
{
	__u32 next = 0, any = len, mss = 0, shift = 0, flags = 0;

	if (!options)
		return 0;
	NIDS_NO_UNROLL
	for (__u32 i = 0; i < IP_OPTIONS_MAX; i++) {
		const __u8 *option = &options->byte[i];

		if (i < next)
			continue;
		if (i >= len || option[0] == IP_OPTION_END)
			break;
		next = forget(i + 1, any);
		if (option[0] == IP_OPTION_NOP)
			continue;
		next = forget(i + option[1], any);
		if (option[1] < 2 || next > len) {
			flags |= NIDS_TCP_BAD_OPTIONS;
			break;
		}
		if (option[0] == TCP_OPTION_MSS && option[1] == 4) {
			mss = option[2] << 8 | option[3];
			flags |= NIDS_TCP_HAS_MSS;
		} else if (option[0] == TCP_OPTION_WINDOW_SCALE && option[1] == 3) {
			shift = option[2];
			flags |= NIDS_TCP_HAS_WINDOW_SCALE;
		} else if (option[0] == TCP_OPTION_SACK && option[1] == 2) {
			flags |= NIDS_TCP_HAS_SACK;
		} else if (option[0] == TCP_OPTION_TIMESTAMPS && option[1] == 10) {
			flags |= NIDS_TCP_HAS_TIMESTAMPS;
		}
	}
	return mss | shift << 16 | flags << 24;
}

/* RFC 9293 section 3.2. */
static __always_inline void parse_tcp_options(struct cursor *c, __u32 offset, __u32 payload,
					      struct nids_tcp_options *o)
{
	struct ip_options options = {};
	__u32 at = offset + sizeof(struct wire_tcp), len = payload - at, facts;

	c->offset = at;
	if (payload <= at || cursor_peek_up_to(c, options.byte, len, IP_OPTIONS_MAX))
		return;
	facts = nids_tcp_option_facts(&options, len);
	o->mss = facts;
	o->window_scale = facts >> 16;
	o->flags = facts >> 24;
}

/* The extension headers of the packet that an error is about, as far as it is quoted. Returns
 * non-zero where the transport's header does not stand behind them.
 */
static __always_inline int skip_embedded_extensions(struct cursor *c, struct nids_embedded *e)
{
	NIDS_NO_UNROLL
	for (int i = 0; i < IPV6_EXTENSIONS_MAX; i++) {
		struct wire_ipv6_extension ext;
		__u8 kind = ip_extension[e->l4_proto];

		if (!kind)
			return 0;
		if (cursor_peek(c, &ext, sizeof(ext)))
			return -1;
		e->l4_proto = ext.next_header;
		c->offset = forget(c->offset + extension_len(kind, &ext), c->wire_len);
		if (kind & EXTENSION_FRAGMENT && extension_fragment(&ext) & IPV6_FRAGMENT_OFFSET)
			return -1;
	}
	return ip_extension[e->l4_proto];
}

/* RFC 792, RFC 4443: the header of the packet and at least 8 bytes of what it
 * carried. Its lengths are those of the whole packet, so they are not looked at.
 */
static __always_inline void parse_embedded(struct cursor *c, __u32 offset, struct nids_embedded *e)
{
	struct wire_udp ports; /* TCP and SCTP begin alike */
	__u8 first = 0;

	c->offset = offset;
	if (cursor_peek(c, &first, sizeof(first)))
		return;
	if (first >> 4 == 4) {
		struct wire_ipv4 ip;

		if (cursor_peek(c, &ip, sizeof(ip)) || (ip.version_ihl & 0x0f) < 5)
			return;
		__builtin_memcpy(e->src, &ip.src, 4);
		__builtin_memcpy(e->dst, &ip.dst, 4);
		e->l4_proto = ip.protocol;
		e->ip_version = 4;
		c->offset += (ip.version_ihl & 0x0f) * 4u;
		if (be16(ip.frag) & IPV4_FRAGMENT_OFFSET)
			return;
	} else if (first >> 4 == 6) {
		struct wire_ipv6 ip;

		if (cursor_peek(c, &ip, sizeof(ip)))
			return;
		__builtin_memcpy(e->src, ip.src, 16);
		__builtin_memcpy(e->dst, ip.dst, 16);
		e->l4_proto = ip.next_header;
		e->ip_version = 6;
		c->offset += sizeof(ip);
		if (skip_embedded_extensions(c, e))
			return;
	} else {
		return;
	}
	if (cursor_peek(c, &ports, sizeof(ports)))
		return;
	if (e->l4_proto == PROTO_TCP || e->l4_proto == PROTO_UDP || e->l4_proto == PROTO_SCTP) {
		e->src_port = be16(ports.src_port);
		e->dst_port = be16(ports.dst_port);
		e->has_ports = 1;
	} else if (e->l4_proto == PROTO_ICMP || e->l4_proto == PROTO_ICMPV6) {
		struct wire_icmp icmp;

		__builtin_memcpy(&icmp, &ports, sizeof(icmp)); /* both have 8 bytes */
		icmp_ports(e->l4_proto, icmp.type, icmp.code, be16(icmp.echo_id), &e->src_port,
			   &e->dst_port);
	}
}

/* `p` as parse_frame() left it, but for offsets that a hook has shifted by `shift`
 * bytes; `d` zeroed but for its outer headers.
 */
static __always_inline void parse_detail(struct cursor *c, const struct nids_packet *p, __u32 shift,
					 struct nids_packet_detail *d)
{
	__u32 payload = p->payload_offset - shift;

	if (p->flags & NIDS_PACKET_IS_ICMP_ERROR) {
		c->wire_len = payload + p->payload_len; /* what pads the frame is no packet */
		parse_embedded(c, payload, &d->embedded);
	} else if (p->l4_proto == PROTO_TCP && p->flags & NIDS_PACKET_IS_FLOW) {
		parse_tcp_options(c, p->l4_offset - shift, payload, &d->tcp_options);
	}
}

#endif
