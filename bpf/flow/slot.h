/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One set of the flow table and one slot in it: finding, opening, counting.
 * Pure over the pointers given; who exports a victim is the caller's business.
 */
#ifndef NIDS_FLOW_SLOT_H
#define NIDS_FLOW_SLOT_H

#include "classify/classify.h"
#include "key.h"

enum slot_search { SLOT_FOUND, SLOT_FREE, SLOT_VICTIM };

/* Zeek's and RFC 4787's order of magnitude for a UDP association. */
#define FLOW_IDLE_NS (60ull * 1000000000)

struct slot_place {
	struct nids_flow_slot *slot;
	enum slot_search search;
};

/* 0 marks a slot that was never used, so no tag is 0. */
static __always_inline __u32 flow_tag(__u64 hash)
{
	return (__u32)hash | 1u;
}

/* The flow's slot; else a free one; else the one that was idle longest. */
static __always_inline struct slot_place find_slot(struct nids_flow_set *set,
						   const struct nids_flow_key *key, __u32 tag)
{
	struct slot_place place = {.slot = &set->way[0], .search = SLOT_VICTIM};

	NIDS_UNROLL
	for (int i = 0; i < NIDS_WAYS; i++) {
		struct nids_flow_slot *slot = &set->way[i];

		if (slot->tag == tag && flow_key_equal(&slot->key, key)) {
			place.slot = slot;
			place.search = SLOT_FOUND;
			return place;
		}
		/* Slots fill in order and are never freed: nothing stands behind a free one. */
		if (slot->tag == 0) {
			place.slot = slot;
			place.search = SLOT_FREE;
			return place;
		}
		if (slot->last_ns < place.slot->last_ns)
			place.slot = slot;
	}
	return place;
}

/* Whether the packet begins a new flow between the same ends: a SYN after the old one
 * was closed or silent; without TCP, silence alone. A slot would otherwise hide
 * all later sessions of one 5-tuple behind the depth of the first.
 */
static __always_inline int begins_anew(const struct nids_flow_slot *slot,
				       const struct nids_packet *p, __u64 now_ns)
{
	int is_idle = now_ns > slot->last_ns + FLOW_IDLE_NS;

	if (p->l4_proto != PROTO_TCP)
		return is_idle;
	if (!(p->tcp_flags & TCP_SYN))
		return 0;
	return is_idle || ((slot->tcp_flags[0] | slot->tcp_flags[1]) & (TCP_FIN | TCP_RST));
}

static __always_inline void open_slot(struct nids_flow_slot *slot, const struct nids_flow_key *key,
				      __u32 tag, struct nids_class_choice choice, __u64 now_ns)
{
	slot->key = *key;
	slot->packets[0] = 0;
	slot->packets[1] = 0;
	slot->bytes[0] = 0;
	slot->bytes[1] = 0;
	slot->created_ns = now_ns;
	slot->tcp_flags[0] = 0;
	slot->tcp_flags[1] = 0;
	slot->class_id = choice.class_id;
	slot->opener = choice.opener;
	slot->tag = tag;
}

/* Returns the bytes that `sender` had sent before: what depths are measured by. */
static __always_inline __u64 count_in_slot(struct nids_flow_slot *slot, enum nids_sender sender,
					   __u64 packets, __u64 bytes, __u8 tcp_flags, __u64 now_ns)
{
	/* Two branches: the verifier would not follow a variable index. */
	__u64 before;

	slot->last_ns = now_ns;
	if (sender == NIDS_FROM_LO) {
		before = slot->bytes[0];
		slot->packets[0] += packets;
		slot->bytes[0] += bytes;
		slot->tcp_flags[0] |= tcp_flags;
	} else {
		before = slot->bytes[1];
		slot->packets[1] += packets;
		slot->bytes[1] += bytes;
		slot->tcp_flags[1] |= tcp_flags;
	}
	return before;
}

#endif
