/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Packets that belong to a flow which their own headers don't name: an ICMP error to that
 * of the packet it is about, a later fragment to that of its datagram. Pure: no maps,
 * no helpers.
 */
#ifndef NIDS_FLOW_RELATED_H
#define NIDS_FLOW_RELATED_H

#include "key.h"

/* What the receiver of the packet that an ICMP error is about would send back: the error
 * comes from his side, and counts as his. Returns whether the error tells enough.
 */
static __always_inline int answer_to_embedded(const struct nids_packet *p,
					      const struct nids_embedded *e,
					      struct nids_packet *answer)
{
	if (!(p->flags & NIDS_PACKET_IS_ICMP_ERROR) || e->ip_version != p->ip_version)
		return 0;
	__builtin_memset(answer, 0, sizeof(*answer));
	__builtin_memcpy(answer->src, e->dst, sizeof(answer->src));
	__builtin_memcpy(answer->dst, e->src, sizeof(answer->dst));
	answer->src_port = e->dst_port;
	answer->dst_port = e->src_port;
	answer->vlan[0] = p->vlan[0];
	answer->vlan[1] = p->vlan[1];
	answer->ip_version = e->ip_version;
	answer->l4_proto = e->l4_proto;
	answer->tunnel = p->tunnel;
	answer->flags = p->flags & NIDS_PACKET_IS_TUNNELLED;
	return 1;
}

/* The hash of a fragment's datagram: sender, receiver and the identification in place of ports. In
 * IPv4 the protocol is part of it (RFC 791 section 3.2). In IPv6 it is not (RFC 8200 section 4.5),
 * because the header after the fragment header need not be the transport. Inside a tunnel, `outer`
 * is part of it too.
 */
static __always_inline __u64 datagram_hash(const struct nids_packet *p,
					   const struct nids_outer *outer,
					   const volatile __u64 *keys)
{
	__u64 tail = (__u64)p->fragment_id | (__u64)p->vlan[0] << 32 | (__u64)p->vlan[1] << 44 |
		     (__u64)(p->ip_version == 4 ? p->l4_proto : 0) << 56;
	const flow_word *src = (const flow_word *)p->src, *dst = (const flow_word *)p->dst;
	flow_word words[FLOW6_WORDS] = {src[0], src[1], dst[0], dst[1], tail};
	__u64 hash = flow_hash(words, FLOW6_WORDS, keys);

	if (!(p->flags & NIDS_PACKET_IS_TUNNELLED))
		return hash;
	src = (const flow_word *)outer->src;
	dst = (const flow_word *)outer->dst;
	words[0] = src[0];
	words[1] = src[1];
	words[2] = dst[0];
	words[3] = dst[1];
	words[4] = outer->key | (__u64)p->tunnel << 32 | (__u64)outer->has_key << 40 |
		   (__u64)outer->dst_port << 48;
	return hash_with_tunnel(hash, words, keys);
}

/* Of a datagram whose first fragment was seen: bits 48-63 of its hash, its transport
 * protocol, when it came (seconds, 8 bits), and its ports. One word, so that it is read
 * and written whole by any CPU. 0: empty.
 */
#define DATAGRAM_TAG	 0xffff000000000000ull
#define DATAGRAM_SECONDS 30 /* to come in: RFC 791 says 15 and more, Linux waits so long */

#define NIDS_DATAGRAM_BITS 13

static __always_inline __u32 datagram_index(__u64 hash)
{
	return hash >> 24 & ((1u << NIDS_DATAGRAM_BITS) - 1);
}

static __always_inline __u64 datagram_tag(__u64 hash)
{
	return (hash | 1ull << 63) & DATAGRAM_TAG;
}

static __always_inline int datagram_is_recent(__u64 word, __u32 now_s)
{
	return (__u8)(now_s - (__u8)(word >> 32)) <= DATAGRAM_SECONDS;
}

/* A first fragment. Returns whether another datagram is forgotten before its time. */
static __always_inline int remember_datagram(__u64 *place, __u64 hash, const struct nids_packet *p,
					     __u32 now_s)
{
	__u64 before = *(volatile __u64 *)place;

	*(volatile __u64 *)place = datagram_tag(hash) | (__u64)p->l4_proto << 40 |
				   (__u64)(__u8)now_s << 32 | (__u64)p->src_port << 16 |
				   p->dst_port;
	return before && (before & DATAGRAM_TAG) != datagram_tag(hash) &&
	       datagram_is_recent(before, now_s);
}

/* A later fragment becomes a packet of its datagram's flow, where that is known. */
static __always_inline void recall_datagram(const __u64 *place, __u64 hash, struct nids_packet *p,
					    __u32 now_s)
{
	__u64 word = *(const volatile __u64 *)place;

	if ((word & DATAGRAM_TAG) != datagram_tag(hash) || !datagram_is_recent(word, now_s))
		return;
	p->src_port = word >> 16;
	p->dst_port = word;
	p->l4_proto = word >> 40;
	p->flags |= NIDS_PACKET_IS_FLOW | NIDS_PACKET_IS_RELATED;
}

#endif
