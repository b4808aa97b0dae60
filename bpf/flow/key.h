/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The canonical key of a packet's flow, packed as slots have it, and its hash. Pure:
 * no maps, no helpers.
 */
#ifndef NIDS_FLOW_KEY_H
#define NIDS_FLOW_KEY_H

#include "nids/abi/config.h"
#include "nids/abi/flow.h"
#include "nids/abi/packed_key.h"
#include "nids/abi/packet.h"
#include "parse/wire.h"

/* May alias the structures that are compared and hashed as words. */
typedef __u64 __attribute__((may_alias)) flow_word;
typedef __u32 __attribute__((may_alias)) flow_half;

#define FLOW4_WORDS    (sizeof(struct nids_flow4_key) / 8)
#define FLOW6_WORDS    (sizeof(struct nids_flow6_key) / 8)
#define EXTENDED_WORDS (sizeof(struct nids_extended_key) / 8)
#define TUNNEL_WORDS   (sizeof(struct nids_flow_tunnel) / 8)

/* Keys are made of whole words, in registers: what is stored in parts and loaded as a
 * word waits for the store.
 */
static __always_inline __u64 flow_key_last_word(const struct nids_packet *p, __u64 swap)
{
	__u64 swapped = (p->src_port ^ p->dst_port) & swap;

	return (p->src_port ^ swapped) | (p->dst_port ^ swapped) << 16 | (__u64)p->vlan[0] << 32 |
	       (__u64)p->vlan[1] << 44 | (__u64)p->l4_proto << 56;
}

static __always_inline enum nids_sender flow4_key(const struct nids_packet *p,
						  struct nids_flow4_key *key)
{
	__u64 src = *(const flow_half *)p->src, dst = *(const flow_half *)p->dst;
	__u64 src_end = (__u64)be32(src) << 16 | p->src_port;
	__u64 dst_end = (__u64)be32(dst) << 16 | p->dst_port;
	__u64 src_is_hi = unforeseen(dst_end - src_end) >> 63; /* of 48 bits each */
	__u64 swap = 0 - src_is_hi;
	__u64 swapped = (src ^ dst) & swap;
	flow_word *words = (flow_word *)key;

	words[0] = (src ^ swapped) | (dst ^ swapped) << 32;
	words[1] = flow_key_last_word(p, swap);
	return src_is_hi;
}

/* a < b, as 0 or 1: the borrow of a - b (H. S. Warren, Hacker's Delight, 2-13). */
static __always_inline __u64 is_below(__u64 a, __u64 b)
{
	return ((~a & b) | ((~a | b) & (a - b))) >> 63;
}

/* The first word that differs decides; which that is, is mostly the same. */
static __always_inline __u64 src_is_hi6(const struct nids_packet *p)
{
	const flow_word *src = (const flow_word *)p->src;
	const flow_word *dst = (const flow_word *)p->dst;

	if (src[0] != dst[0])
		return is_below(be64(dst[0]), be64(src[0]));
	if (src[1] != dst[1])
		return is_below(be64(dst[1]), be64(src[1]));
	return p->dst_port < p->src_port;
}

/* Values are chosen, not pointers: the packet can then live in registers. */
static __always_inline enum nids_sender flow6_key(const struct nids_packet *p,
						  struct nids_flow6_key *key)
{
	__u64 src_is_hi = unforeseen(src_is_hi6(p)), swap = 0 - src_is_hi;
	const flow_word *src = (const flow_word *)p->src, *dst = (const flow_word *)p->dst;
	flow_word *words = (flow_word *)key;
	__u64 swapped[2] = {(src[0] ^ dst[0]) & swap, (src[1] ^ dst[1]) & swap};

	words[0] = src[0] ^ swapped[0];
	words[1] = src[1] ^ swapped[1];
	words[2] = dst[0] ^ swapped[0];
	words[3] = dst[1] ^ swapped[1];
	words[4] = flow_key_last_word(p, swap);
	return src_is_hi;
}

static __always_inline int has_extended_key(const struct nids_packet *p)
{
	return p->flags & NIDS_PACKET_IS_TUNNELLED ||
	       (p->vlan[0] | (__u32)p->vlan[1] << 12) == NIDS_TAIL_EXTENDED;
}

/* The key of a packet for which has_extended_key() is true. Reads `outer` if it is tunnelled. */
static __always_inline enum nids_sender extended_key(const struct nids_packet *p,
						     const struct nids_outer *outer,
						     struct nids_extended_key *key)
{
	enum nids_sender sender = flow6_key(p, &key->inner);
	__u32 bits = key->inner.tail & NIDS_TAIL_VLANS;

	__builtin_memset(&key->tunnel, 0, sizeof(key->tunnel));
	key->inner.tail |= NIDS_TAIL_EXTENDED;
	if (p->ip_version == 6)
		bits |= NIDS_TUNNEL_INNER_IPV6;
	if (p->flags & NIDS_PACKET_IS_TUNNELLED) {
		const __u8 *lo = sender == NIDS_FROM_LO ? outer->src : outer->dst;
		const __u8 *hi = sender == NIDS_FROM_LO ? outer->dst : outer->src;

		__builtin_memcpy(key->tunnel.lo_addr, lo, sizeof(key->tunnel.lo_addr));
		__builtin_memcpy(key->tunnel.hi_addr, hi, sizeof(key->tunnel.hi_addr));
		key->tunnel.id = outer->key;
		bits |= (__u32)p->tunnel << NIDS_TUNNEL_KIND_SHIFT;
		if (outer->ip_version == 6)
			bits |= NIDS_TUNNEL_OUTER_IPV6;
		if (outer->has_key)
			bits |= NIDS_TUNNEL_HAS_ID;
		if (p->tunnel == NIDS_TUNNEL_VXLAN && outer->dst_port == VXLAN_PORT_LINUX)
			bits |= NIDS_TUNNEL_VXLAN_LINUX;
	}
	key->tunnel.bits = bits;
	return sender;
}

/* Multilinear hashing, two 32-bit words to a multiplication: D. Lemire and O. Kaser,
 * "Strongly universal string hashing is fast", The Computer Journal 57 (2014).
 * With secret random keys any two flows collide in the upper 32 bits with a
 * probability of 2^-32, whatever an attacker chooses, at 1-2 ns; SipHash-1-3
 * costs 11-22. The key of a word is the same in either direction. The lower half
 * of a word is not cut out: where upper halves are equal they cancel out of the
 * difference that the proof is about, and where not, the other factor has it.
 */
static __always_inline __u64 flow_hash(const flow_word *words, int count,
				       const volatile __u64 *keys)
{
	__u64 hash = keys[0];

	NIDS_UNROLL
	for (int i = 0; i < count; i++)
		hash += (keys[1 + 2 * i] + words[i]) * (keys[2 + 2 * i] + (words[i] >> 32));
	return hash;
}

/* The hash of an extended key. `hash` is the hash of its words before the tunnel. */
static __always_inline __u64 hash_with_tunnel(__u64 hash, const flow_word *tunnel,
					      const volatile __u64 *keys)
{
	return hash + flow_hash(tunnel, TUNNEL_WORDS, keys + 2 * FLOW6_WORDS) -
	       keys[2 * FLOW6_WORDS];
}

static __always_inline __u64 flow4_hash(const struct nids_flow4_key *key,
					const volatile __u64 *keys)
{
	return flow_hash((const flow_word *)key, FLOW4_WORDS, keys);
}

static __always_inline __u64 flow6_hash(const struct nids_flow6_key *key,
					const volatile __u64 *keys)
{
	return flow_hash((const flow_word *)key, FLOW6_WORDS, keys);
}

static __always_inline __u64 extended_hash(const struct nids_extended_key *key,
					   const volatile __u64 *keys)
{
	return hash_with_tunnel(flow6_hash(&key->inner, keys), (const flow_word *)&key->tunnel,
				keys);
}

#endif
