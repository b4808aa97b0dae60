/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* parse: one frame to one struct nids_packet, each header once, in their order.
 * Pure: no maps, no helpers. The caller gives `p` zeroed, but for a VLAN tag
 * that its hook took off the frame.
 */
#ifndef NIDS_PARSE_PARSE_H
#define NIDS_PARSE_PARSE_H

#include "ipv4.h"
#include "ipv6.h"
#include "link.h"
#include "transport.h"
#include "tunnel.h"

/* The IP header and its extensions; p->ether_type says which version. */
static __always_inline enum nids_parse_result parse_internet(struct cursor *c,
							     struct nids_packet *p, __u32 *l4_len)
{
	enum nids_parse_result result;

	if (p->ether_type == ETHER_IPV4) {
		p->network = NIDS_NETWORK_IPV4;
		result = parse_ipv4(c, p, l4_len);
	} else {
		p->network = NIDS_NETWORK_IPV6;
		result = parse_ipv6(c, p, l4_len);
	}
	if (result == NIDS_PARSE_LATER_FRAGMENT)
		p->transport = NIDS_TRANSPORT_FRAGMENT;
	return result;
}

/* IP and what it carries. */
static __always_inline enum nids_parse_result parse_ip(struct cursor *c, struct nids_packet *p)
{
	__u32 l4_len = 0;
	enum nids_parse_result result = parse_internet(c, p, &l4_len);

	return result == NIDS_PARSE_OK ? parse_transport(c, p, l4_len) : result;
}

/* Ethernet, unless p->ether_type says already what stands at c->offset, and its tags. */
static __always_inline enum nids_parse_result parse_link(struct cursor *c, struct nids_packet *p,
							 int is_ethernet)
{
	enum nids_parse_result result = NIDS_PARSE_OK;

	p->network = NIDS_NETWORK_OTHER;
	p->transport = NIDS_TRANSPORT_COUNT;
	if (is_ethernet)
		result = parse_ethernet(c, p);
	if (result != NIDS_PARSE_OK)
		return result;
	if (c->reading == PLAIN)
		return parse_plain_vlans(c, p);
	result = parse_vlans_whole(c, p);
	c->tags_beside = 0; /* a frame inside a tunnel has none */
	return result;
}

/* Behind the tags; p->ether_type says what. */
static __always_inline enum nids_parse_result parse_network(struct cursor *c, struct nids_packet *p)
{
	p->l3_offset = c->offset;
	switch (p->ether_type) {
	case ETHER_IPV4:
	case ETHER_IPV6:
		return parse_ip(c, p);
	case ETHER_ARP:
		p->network = NIDS_NETWORK_ARP;
		return parse_arp(c);
	case ETHER_MPLS:
	case ETHER_MPLS_MULTICAST:
		return NIDS_PARSE_MPLS;
	case ETHER_PPPOE_SESSION:
		return NIDS_PARSE_PPPOE;
	}
	return NIDS_PARSE_NOT_IP;
}

/* The same, where it is read whole: a program may define it as a function that the
 * verifier checks once for the packet and for what is inside. The cursor's place
 * is of no use afterwards.
 */
#ifndef parse_network_whole
#define parse_network_whole(c, p) parse_network(c, p)
#endif

/* Replaces the fields of the outer packet by those of the inner one, but for those that count the
 * outermost headers. This includes later fragments, because the inner addresses name the datagram.
 */
static __always_inline void enter_tunnel(struct nids_packet *p, const struct nids_packet *inner)
{
	__builtin_memcpy(p->src, inner->src, sizeof(p->src));
	__builtin_memcpy(p->dst, inner->dst, sizeof(p->dst));
	p->src_port = inner->src_port;
	p->dst_port = inner->dst_port;
	p->l3_offset = inner->l3_offset;
	p->l4_offset = inner->l4_offset;
	p->payload_offset = inner->payload_offset;
	p->payload_len = inner->payload_len;
	p->fragment_id = inner->fragment_id;
	p->ip_version = inner->ip_version;
	p->l4_proto = inner->l4_proto;
	p->tcp_flags = inner->tcp_flags;
	p->icmp_type = inner->icmp_type;
	p->icmp_code = inner->icmp_code;
	p->flags = inner->flags | NIDS_PACKET_IS_TUNNELLED;
}

/* One level: what is wrapped twice is a flow of the inner wrapping's protocol. A
 * packet whose inside can't be read to a flow belongs to the flow outside.
 */
static __always_inline enum nids_parse_result parse_inside(struct cursor *c, struct nids_packet *p,
							   struct nids_outer *outer)
{
	struct nids_packet inner = {};
	struct tunnel tunnel = {};
	enum nids_parse_result result;

	if (p->flags & (NIDS_PACKET_FIRST_FRAGMENT | NIDS_PACKET_IS_ICMP_ERROR))
		return NIDS_PARSE_OK; /* what is inside goes on elsewhere */
	c->offset = p->payload_offset;
	result = parse_tunnel(c, p, &tunnel);
	if (result != NIDS_PARSE_OK || tunnel.kind == NIDS_TUNNEL_NONE)
		return result;
	p->tunnel = tunnel.kind;
	__builtin_memcpy(outer->src, p->src, sizeof(outer->src));
	__builtin_memcpy(outer->dst, p->dst, sizeof(outer->dst));
	outer->src_port = p->src_port;
	outer->dst_port = p->dst_port;
	outer->l3_offset = p->l3_offset;
	outer->ip_version = p->ip_version;
	outer->l4_proto = p->l4_proto;
	outer->key = tunnel.key;
	outer->has_key = tunnel.has_key;
	c->wire_len = p->payload_offset + p->payload_len;
	c->offset += tunnel.header_len;
	inner.ether_type = tunnel.ether_type;
	result = parse_link(c, &inner, tunnel.ether_type == ETHER_BRIDGED);
	if (result == NIDS_PARSE_OK)
		result = parse_network_whole(c, &inner);
	p->quirks |= inner.quirks;
	if (inner.flags & NIDS_PACKET_IS_FLOW || result == NIDS_PARSE_LATER_FRAGMENT)
		enter_tunnel(p, &inner);
	return result;
}

/* From the link header on; without one, p->ether_type says what stands at c->offset. */
static __always_inline enum nids_parse_result parse_frame(struct cursor *c, struct nids_packet *p,
							  struct nids_outer *outer, int is_ethernet)
{
	enum nids_parse_result result = parse_link(c, p, is_ethernet);

	if (result != NIDS_PARSE_OK)
		return result;
	if (c->reading == PLAIN)
		return parse_network(c, p);
	result = parse_network_whole(c, p);
	return p->flags & NIDS_PACKET_IS_FLOW ? parse_inside(c, p, outer) : result;
}

#endif
