/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Between the two forms of a flow's key: that of records, and that of slots. Pure; the
 * program, its twin and the agent pack alike.
 */
#ifndef NIDS_ABI_PACKED_KEY_H
#define NIDS_ABI_PACKED_KEY_H

#include "flow.h"

#define NIDS_PURE static inline __attribute__((always_inline))

NIDS_PURE __u32 nids_pack_tail(const struct nids_flow_key *key)
{
	return key->vlan[0] | (__u32)key->vlan[1] << 12 | (__u32)key->l4_proto << 24;
}

NIDS_PURE void nids_pack_flow4(const struct nids_flow_key *key, struct nids_flow4_key *out)
{
	__builtin_memcpy(&out->lo_addr, key->lo_addr, sizeof(out->lo_addr));
	__builtin_memcpy(&out->hi_addr, key->hi_addr, sizeof(out->hi_addr));
	out->lo_port = key->lo_port;
	out->hi_port = key->hi_port;
	out->tail = nids_pack_tail(key);
}

NIDS_PURE void nids_pack_flow6(const struct nids_flow_key *key, struct nids_flow6_key *out)
{
	__builtin_memcpy(out->lo_addr, key->lo_addr, sizeof(out->lo_addr));
	__builtin_memcpy(out->hi_addr, key->hi_addr, sizeof(out->hi_addr));
	out->lo_port = key->lo_port;
	out->hi_port = key->hi_port;
	out->tail = nids_pack_tail(key);
}

NIDS_PURE void nids_unpack_tail(__u32 tail, __u8 ip_version, struct nids_flow_key *out)
{
	out->vlan[0] = tail & 0xfff;
	out->vlan[1] = tail >> 12 & 0xfff;
	out->l4_proto = (__u8)(tail >> 24);
	out->ip_version = ip_version;
}

/* `out` is given zeroed. */
NIDS_PURE void nids_unpack_flow4(const struct nids_flow4_key *key, struct nids_flow_key *out)
{
	__builtin_memcpy(out->lo_addr, &key->lo_addr, sizeof(key->lo_addr));
	__builtin_memcpy(out->hi_addr, &key->hi_addr, sizeof(key->hi_addr));
	out->lo_port = key->lo_port;
	out->hi_port = key->hi_port;
	nids_unpack_tail(key->tail, 4, out);
}

NIDS_PURE void nids_unpack_flow6(const struct nids_flow6_key *key, struct nids_flow_key *out)
{
	__builtin_memcpy(out->lo_addr, key->lo_addr, sizeof(out->lo_addr));
	__builtin_memcpy(out->hi_addr, key->hi_addr, sizeof(out->hi_addr));
	out->lo_port = key->lo_port;
	out->hi_port = key->hi_port;
	nids_unpack_tail(key->tail, 6, out);
}

/* Whether the key of the flow's slot is a struct nids_extended_key. */
NIDS_PURE int nids_has_extended_key(const struct nids_flow_key *key)
{
	return key->tunnel != NIDS_TUNNEL_NONE ||
	       (nids_pack_tail(key) & NIDS_TAIL_VLANS) == NIDS_TAIL_EXTENDED;
}

/* Whether the flow is in the table of 64-byte slots. */
NIDS_PURE int nids_is_in_table4(const struct nids_flow_key *key)
{
	return key->ip_version == 4 && !nids_has_extended_key(key);
}

/* `tunnel` is all zero for a flow outside a tunnel. */
NIDS_PURE void nids_pack_extended(const struct nids_flow_key *key,
				  const struct nids_flow_tunnel *tunnel,
				  struct nids_extended_key *out)
{
	nids_pack_flow6(key, &out->inner);
	out->tunnel = *tunnel;
	out->tunnel.bits |= out->inner.tail & NIDS_TAIL_VLANS;
	if (key->ip_version == 6)
		out->tunnel.bits |= NIDS_TUNNEL_INNER_IPV6;
	out->inner.tail |= NIDS_TAIL_EXTENDED;
}

NIDS_PURE int nids_is_extended_key(const struct nids_flow6_key *key)
{
	return (key->tail & NIDS_TAIL_VLANS) == NIDS_TAIL_EXTENDED;
}

/* Both outputs are given zeroed. `tunnel` is read for an extended key only. */
NIDS_PURE void nids_unpack_slot6(const struct nids_flow6_key *key,
				 const struct nids_flow_tunnel *tunnel, struct nids_flow_key *out,
				 struct nids_flow_tunnel *out_tunnel)
{
	nids_unpack_flow6(key, out);
	if (!nids_is_extended_key(key))
		return;
	out->vlan[0] = tunnel->bits & 0xfff;
	out->vlan[1] = tunnel->bits >> 12 & 0xfff;
	out->ip_version = tunnel->bits & NIDS_TUNNEL_INNER_IPV6 ? 6 : 4;
	out->tunnel = tunnel->bits >> NIDS_TUNNEL_KIND_SHIFT & NIDS_TUNNEL_KIND_MASK;
	if (out->tunnel != NIDS_TUNNEL_NONE)
		*out_tunnel = *tunnel;
}

#undef NIDS_PURE

#endif
