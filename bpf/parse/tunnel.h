/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a packet may be wrapped in: GRE, IP, VXLAN. Reads only the wrapping's own
 * header, and says what follows it. Pure: no maps, no helpers.
 */
#ifndef NIDS_PARSE_TUNNEL_H
#define NIDS_PARSE_TUNNEL_H

#include "transport.h"

struct tunnel {
	__u8 kind;	  /* enum nids_tunnel; NIDS_TUNNEL_NONE: the packet is no tunnel's */
	__u16 ether_type; /* of what is inside; ETHER_BRIDGED: a frame */
	__u32 key;	  /* VXLAN network identifier, or GRE key */
	__u8 has_key;
	__u32 header_len; /* bytes of the wrapping's own header */
};

/* RFC 2784, RFC 2890. Other versions, and routing (RFC 1701), are a protocol like
 * any other.
 */
static __always_inline enum nids_parse_result parse_gre(const struct cursor *c, __u32 len,
							struct tunnel *t)
{
	struct cursor key = *c;
	struct wire_gre gre;
	enum nids_parse_result result;

	if (len < sizeof(gre))
		return NIDS_PARSE_BAD_LENGTH;
	result = cursor_peek(c, &gre, sizeof(gre));
	if (result != NIDS_PARSE_OK)
		return result;

	__u16 flags = be16(gre.flags), protocol = be16(gre.protocol);

	if (flags & GRE_UNKNOWN)
		return NIDS_PARSE_OK;
	if (protocol != ETHER_IPV4 && protocol != ETHER_IPV6 && protocol != ETHER_BRIDGED)
		return NIDS_PARSE_OK;
	t->kind = NIDS_TUNNEL_GRE;
	t->ether_type = protocol;
	t->header_len = sizeof(gre) + !!(flags & GRE_CHECKSUM) * 4u + !!(flags & GRE_KEY) * 4u +
			!!(flags & GRE_SEQUENCE) * 4u;
	if (t->header_len > len)
		return NIDS_PARSE_BAD_LENGTH;
	if (!(flags & GRE_KEY))
		return NIDS_PARSE_OK;
	key.offset += sizeof(gre) + !!(flags & GRE_CHECKSUM) * 4u;
	result = cursor_peek(&key, &t->key, sizeof(t->key));
	t->key = be32(t->key);
	t->has_key = 1;
	return result;
}

/* RFC 7348. A datagram to its port without a network identifier is not VXLAN. */
static __always_inline enum nids_parse_result parse_vxlan(const struct cursor *c, __u32 len,
							  struct tunnel *t)
{
	struct wire_vxlan vxlan;
	enum nids_parse_result result;

	if (len < sizeof(vxlan))
		return NIDS_PARSE_OK;
	result = cursor_peek(c, &vxlan, sizeof(vxlan));
	if (result != NIDS_PARSE_OK || !(vxlan.flags & VXLAN_HAS_VNI))
		return result;
	t->kind = NIDS_TUNNEL_VXLAN;
	t->ether_type = ETHER_BRIDGED;
	t->key = be32(vxlan.vni) >> 8;
	t->has_key = 1;
	t->header_len = sizeof(vxlan);
	return NIDS_PARSE_OK;
}

/* RFC 8926: named, not looked into. */
static __always_inline enum nids_parse_result parse_geneve(const struct cursor *c, __u32 len)
{
	struct wire_geneve geneve;
	enum nids_parse_result result;

	if (len < sizeof(geneve))
		return NIDS_PARSE_OK;
	result = cursor_peek(c, &geneve, sizeof(geneve));
	if (result != NIDS_PARSE_OK || geneve.version_len & GENEVE_VERSION)
		return result;

	__u16 protocol = be16(geneve.protocol);

	if (protocol == ETHER_BRIDGED || protocol == ETHER_IPV4 || protocol == ETHER_IPV6)
		return NIDS_PARSE_GENEVE;
	return NIDS_PARSE_OK;
}

/* With the cursor behind the last header that parse_transport() knows. */
static __always_inline enum nids_parse_result
parse_tunnel(const struct cursor *c, const struct nids_packet *p, struct tunnel *t)
{
	switch (p->l4_proto) {
	case PROTO_IPV4:
	case PROTO_IPV6:
		t->kind = NIDS_TUNNEL_IP;
		t->ether_type = p->l4_proto == PROTO_IPV4 ? ETHER_IPV4 : ETHER_IPV6;
		return NIDS_PARSE_OK;
	case PROTO_GRE:
		return parse_gre(c, p->payload_len, t);
	case PROTO_UDP:
		if (is_vxlan_port(p->dst_port))
			return parse_vxlan(c, p->payload_len, t);
		if (p->dst_port == GENEVE_PORT)
			return parse_geneve(c, p->payload_len);
	}
	return NIDS_PARSE_OK;
}

#endif
