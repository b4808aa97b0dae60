/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The canonical key of a packet's flow, and its hash. Pure: no maps, no helpers. */
#ifndef NIDS_FLOW_KEY_H
#define NIDS_FLOW_KEY_H

#include "nids/abi/flow.h"
#include "nids/abi/packet.h"
#include "parse/wire.h"

#define FLOW_KEY_WORDS 6
typedef __u64 __attribute__((may_alias)) flow_word;

static __always_inline int src_is_lo(const struct nids_packet *p)
{
	const flow_word *src = (const flow_word *)p->src;
	const flow_word *dst = (const flow_word *)p->dst;

	if (src[0] != dst[0])
		return be64(src[0]) < be64(dst[0]);
	if (src[1] != dst[1])
		return be64(src[1]) < be64(dst[1]);
	return p->src_port <= p->dst_port;
}

/* Fills `key`, which is given zeroed, and says which end sent the packet. */
static __always_inline enum nids_sender flow_key(const struct nids_packet *p,
						 struct nids_flow_key *key)
{
	flow_word *lo = (flow_word *)key->lo_addr;
	flow_word *hi = (flow_word *)key->hi_addr;
	const flow_word *src = (const flow_word *)p->src;
	const flow_word *dst = (const flow_word *)p->dst;
	enum nids_sender sender = src_is_lo(p) ? NIDS_FROM_LO : NIDS_FROM_HI;

	if (sender == NIDS_FROM_LO) {
		lo[0] = src[0];
		lo[1] = src[1];
		hi[0] = dst[0];
		hi[1] = dst[1];
		key->lo_port = p->src_port;
		key->hi_port = p->dst_port;
	} else {
		lo[0] = dst[0];
		lo[1] = dst[1];
		hi[0] = src[0];
		hi[1] = src[1];
		key->lo_port = p->dst_port;
		key->hi_port = p->src_port;
	}
	key->vlan[0] = p->vlan[0];
	key->vlan[1] = p->vlan[1];
	key->l4_proto = p->l4_proto;
	key->ip_version = p->ip_version;
	return sender;
}

/* Multiply-xorshift over the key's words, seeded: 1-3 ns, where SipHash-1-3 costs
 * 11-22. Who guesses collisions gains evictions, which are exact and counted.
 */
static __always_inline __u64 flow_hash(const struct nids_flow_key *key, __u64 seed)
{
	const flow_word *words = (const flow_word *)key;
	__u64 hash = seed;

	NIDS_UNROLL
	for (int i = 0; i < FLOW_KEY_WORDS; i++) {
		hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15ull;
		hash ^= hash >> 32;
	}
	return hash;
}

static __always_inline int flow_key_equal(const struct nids_flow_key *a,
					  const struct nids_flow_key *b)
{
	const flow_word *x = (const flow_word *)a;
	const flow_word *y = (const flow_word *)b;

	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2] && x[3] == y[3] && x[4] == y[4] &&
	       x[5] == y[5];
}

#endif
