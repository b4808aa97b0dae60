/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One slot of the flow table: finding it in its set, opening it, counting in it.
 * Pure over the pointers given; who exports a victim is the caller's business.
 */
#ifndef NIDS_FLOW_SLOT_H
#define NIDS_FLOW_SLOT_H

#include "frame.h"
#include "key.h"

#include <stddef.h>

/* The classes of a flow, and the guess of its opener. */
struct flow_class {
	__u8 class_id;	  /* the class if `flags` names the right opener; 0: none */
	__u8 other_class; /* the class if the other side is the opener; 0: none */
	__u8 flags;	  /* NIDS_FLOW_* */
};

enum slot_search { SLOT_FOUND, SLOT_FREE, SLOT_VICTIM };

struct slot_place {
	struct nids_flow_state *state;
	flow_word *key; /* of the slot */
	enum slot_search search;
};

/* One packet as its flow sees it. */
struct flow_packet {
	const flow_word *key;
	__u64 hash;
	__u32 words; /* of the key: FLOW4_WORDS, FLOW6_WORDS or EXTENDED_WORDS, a constant */
	__u32 wire_packets;
	__u32 wire_len;
	__u32 sender; /* enum nids_sender */
	__u8 l4_proto;
	__u8 tcp_flags;
	__u8 has_payload;
	__u8 is_absent; /* it has been looked for in its set, and has no slot there */
};

/* All but the key and its hash. */
static __always_inline struct flow_packet
flow_packet_of(const struct nids_packet *p, const struct first_pass_frame *frame, __u32 sender)
{
	return (struct flow_packet){.wire_packets = frame->wire_packets,
				    .wire_len = frame->wire_len,
				    .sender = sender,
				    .l4_proto = p->l4_proto,
				    .tcp_flags = p->tcp_flags | p->icmp_type, /* one is 0 */
				    /* the sign of what is below 2^32 */
				    .has_payload = unforeseen(0 - (__u64)p->payload_len) >> 63};
}

/* Words of a key before the state in a slot. The tunnel of an extended key is after the state. */
static __always_inline __u32 words_before_state(const __u32 words)
{
	return words == FLOW4_WORDS ? FLOW4_WORDS : FLOW6_WORDS;
}

static __always_inline __u64 key_ports_and_tail(const struct flow_packet *f)
{
	return f->key[words_before_state(f->words) - 1];
}

/* How long a slot has been idle, longer by NIDS_TICKS_AHEAD: below that it was written after `now`.
 */
static __always_inline __u32 slot_idle_ticks(const struct nids_flow_state *state, __u32 now_ticks)
{
	return now_ticks - state->last_ticks + NIDS_TICKS_AHEAD;
}

/* The tunnel in a slot of the table of IPv6 and tunnelled flows. */
#define SLOT_TUNNEL_WORD (offsetof(struct nids_flow6, tunnel) / 8)

static __always_inline int slot_key_equal(const flow_word *slot, const flow_word *key,
					  const __u32 words)
{
	const __u32 before = words_before_state(words);
	flow_word differs = 0;

	NIDS_UNROLL
	for (__u32 i = 0; i < before; i++)
		differs |= slot[i] ^ key[i];
	NIDS_UNROLL
	for (__u32 i = before; i < words; i++)
		differs |= slot[SLOT_TUNNEL_WORD + i - before] ^ key[i];
	return differs == 0;
}

static __always_inline __u32 slot_bytes(const __u32 words)
{
	return words == FLOW4_WORDS ? sizeof(struct nids_flow4) : sizeof(struct nids_flow6);
}

static __always_inline struct nids_flow_state *slot_state(flow_word *key, const __u32 words)
{
	return (struct nids_flow_state *)(key + words_before_state(words));
}

/* The hash of the key in a slot. `words` says which table the slot is in. */
static __always_inline __u64 slot_hash(const flow_word *key, const __u32 words,
				       const volatile __u64 *keys)
{
	const __u32 before = words_before_state(words);
	__u64 hash = flow_hash(key, before, keys);

	if (before == FLOW4_WORDS || !nids_is_extended_key((const struct nids_flow6_key *)key))
		return hash;
	return hash_with_tunnel(hash, key + SLOT_TUNNEL_WORD, keys);
}

/* The way in which the search of a set starts, by bits of the hash that choose no set: at low load
 * most flows are there, and the address of their slot waits for nothing. The search goes on with
 * the neighbour in the same pair of cache lines, which the processor fetches too.
 */
static __always_inline __u32 first_way(__u64 hash)
{
	return hash >> 29 & (NIDS_WAYS - 1);
}

static __always_inline void *slot_at(void *set, const __u32 words, __u32 way)
{
	return set + way * slot_bytes(words);
}

/* The tail of a key has a protocol, so few slots are asked for more. */
static __always_inline int is_unused(flow_word *slot, const __u32 words)
{
	return slot[words_before_state(words) - 1] == 0 && slot_state(slot, words)->generation == 0;
}

/* The slot of a flow, its state; null where it has none. Slots are never freed, and a new flow
 * takes the first unused one in this order: no flow is after an unused slot.
 */
static __always_inline struct nids_flow_state *find_known_slot(void *set,
							       const struct flow_packet *f)
{
	const __u32 start = first_way(f->hash);
	flow_word *slot = slot_at(set, f->words, start);
	struct nids_flow_state *state = slot_state(slot, f->words);
	__u32 probe = NIDS_WAYS;

	if (!slot_key_equal(slot, f->key, f->words)) {
		NIDS_UNROLL
		for (int i = 1; i < NIDS_WAYS; i++) {
			if (is_unused(slot, f->words))
				return 0;
			slot = slot_at(set, f->words, start ^ i);
			if (slot_key_equal(slot, f->key, f->words)) {
				probe = i;
				break;
			}
		}
		if (probe == NIDS_WAYS)
			return 0;
		/* Masked after the xor, because the verifier of 6.1 loses the bounds there. */
		probe = forget(start ^ probe, f->hash) & (NIDS_WAYS - 1);
		state = slot_state(slot_at(set, f->words, probe), f->words);
	}
	/* A slot that was never used is all zero; a key with a protocol is not. */
	return f->l4_proto || state->generation ? state : 0;
}

/* A flow with NIDS_FLOW_ANSWERED counts as 2^16 ticks younger: a minute at HZ=1000. */
#define ANSWERED_TICKS_SHIFT 11

/* Larger means older, by a number below 2^63; of two as old, the one that is probed first. Flows in
 * which one side alone has sent, which any scan and any forger can make, go before those that are
 * answered, but for those that are idle.
 */
static __always_inline __u64 slot_age(const struct nids_flow_state *state, __u32 probe,
				      __u32 now_ticks)
{
	__u32 younger_ticks = (state->flags & NIDS_FLOW_ANSWERED) << ANSWERED_TICKS_SHIFT;

	return (__u64)(slot_idle_ticks(state, now_ticks) - younger_ticks) << 3 |
	       (NIDS_WAYS - 1 - probe);
}

/* Without a branch: which of two slots is older can't be foretold. */
static __always_inline __u64 older(__u64 age, __u64 other)
{
	return age ^ ((age ^ other) & (0 - (unforeseen(age - other) >> 63)));
}

/* The flow's slot; else the first unused one; else the one that was idle longest. */
static __always_inline struct slot_place find_slot(void *set, const struct flow_packet *f,
						   __u32 now_ticks)
{
	const __u32 start = first_way(f->hash);
	struct slot_place place = {.search = SLOT_VICTIM};
	__u32 probe = NIDS_WAYS;
	__u64 oldest = 0;

	place.state = f->is_absent ? 0 : find_known_slot(set, f);
	if (place.state) {
		place.search = SLOT_FOUND;
		place.key = (flow_word *)place.state - words_before_state(f->words);
		return place;
	}
	NIDS_UNROLL
	for (int i = 0; i < NIDS_WAYS; i++) {
		const struct nids_flow_state *state =
		    slot_state(slot_at(set, f->words, start ^ i), f->words);

		if (state->generation == 0) {
			place.search = SLOT_FREE;
			probe = i;
			break;
		}
		oldest = older(oldest, slot_age(state, i, now_ticks));
	}
	if (probe == NIDS_WAYS)
		probe = NIDS_WAYS - 1 - (oldest & (NIDS_WAYS - 1));
	probe = forget(start ^ probe, f->hash) & (NIDS_WAYS - 1);
	place.key = slot_at(set, f->words, probe);
	place.state = slot_state(place.key, f->words);
	return place;
}

/* Whether the packet begins a new flow between the same ends: a SYN after the old flow was closed
 * or silent; without TCP, any packet after silence. Otherwise the depth of the first session would
 * hide all later sessions of one 5-tuple.
 */
static __always_inline int begins_anew(const struct nids_flow_state *state,
				       const struct flow_packet *f, __u32 now_ticks,
				       const volatile __u32 *idle_ticks)
{
	/* No host accepts a SYN with FIN or RST. If it began a flow, each would export a record. */
	if (f->l4_proto == PROTO_TCP && (f->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST)) != TCP_SYN)
		return 0;
	if (slot_idle_ticks(state, now_ticks) > *idle_ticks + NIDS_TICKS_AHEAD)
		return 1;
	return f->l4_proto == PROTO_TCP &&
	       (state->tcp_flags[0] | state->tcp_flags[1]) & (TCP_FIN | TCP_RST);
}

/* Sets the counts to 0. The flow stays the same. */
static __always_inline void reset_counts(struct nids_flow_state *state)
{
	state->bytes[0] = 0;
	state->bytes[1] = 0;
	state->packets[0] = 0;
	state->packets[1] = 0;
}

/* After the counts were exported because one was full. */
static __always_inline void continue_flow(struct nids_flow_state *state)
{
	reset_counts(state);
	state->flags |= NIDS_FLOW_CONTINUES;
}

static __always_inline void open_slot(const struct slot_place *place, const struct flow_packet *f,
				      struct flow_class class, __u32 now_ticks)
{
	struct nids_flow_state *state = place->state;

	const __u32 before = words_before_state(f->words);

	NIDS_UNROLL
	for (__u32 i = 0; i < before; i++)
		place->key[i] = f->key[i];
	NIDS_UNROLL
	for (__u32 i = before; i < f->words; i++)
		place->key[SLOT_TUNNEL_WORD + i - before] = f->key[i];
	reset_counts(state);
	state->created_ticks = now_ticks;
	state->tcp_flags[0] = 0;
	state->tcp_flags[1] = 0;
	state->class_id = class.class_id;
	state->other_class = class.other_class;
	state->flags = class.flags;
	state->events = 0;
	state->identified = 0;
	/* Last: from here on no command for the flow before is obeyed. */
	state->generation = state->generation < NIDS_GENERATION_MAX ? state->generation + 1 : 1;
}

/* Packets are counted in 32 bits: half of that is left for those under way. */
static __always_inline int is_count_full(const struct nids_flow_state *state, __u32 sender)
{
	return state->packets[sender & 1] >> 31;
}

/* Returns the bytes that the sender had sent before: what depths are measured by. */
static __always_inline __u64 count_in_slot(struct nids_flow_state *state,
					   const struct flow_packet *f, __u32 now_ticks)
{
	__u32 sender = f->sender & 1;
	__u64 before = state->bytes[sender];

	state->last_ticks = now_ticks;
	state->bytes[sender] = before + f->wire_len;
	state->packets[sender] += f->wire_packets;
	state->tcp_flags[sender] |= f->tcp_flags;
	return before;
}

#endif
