/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What all CPUs share of a flow: its opener and class as the first packet told
 * them, and the order of its first events. The other direction, or the same one
 * after its process has moved, comes first on its CPU without having been first,
 * and no slot can tell. Direct-mapped by the flow's secret hash, so that an
 * attacker can only overwrite at random, and each overwrite is counted. Written
 * for first events only, 12 at most in a flow's life. Pure: the cell is given.
 */
#ifndef NIDS_FLOW_CELL_H
#define NIDS_FLOW_CELL_H

#include "slot.h"

#define CELL_OPENER_TAG	 0xffffffffffff0000ull
#define CELL_FLAGS_SHIFT 8
#define CELL_HISTORY_TAG 0xffff000000000000ull

#define CELLS_PER_LINE 4

/* The 8 cells of one set of slots are neighbours, where sets are as many as the cells
 * provide for: a new flow and the one that it drives out then share a cache line or two.
 */
static __always_inline __u32 cell_index(__u64 hash, __u32 bits)
{
	__u32 number = hash >> 32;

	return (number << 3 | (number >> (bits - 3) & 7)) & ((1u << bits) - 1);
}

/* 0 means empty, so no tag is 0. */
static __always_inline __u64 cell_tag(__u64 hash)
{
	return hash | 1ull << 63;
}

static __always_inline int cell_is_of(const struct nids_flow_cell *cell, __u64 hash)
{
	__u64 opener = *(const volatile __u64 *)&cell->opener;

	return ((opener ^ cell_tag(hash)) & CELL_OPENER_TAG) == 0;
}

/* Returns whether the cell is the flow's; then also class and flags. */
static __always_inline int recall_opener(const struct nids_flow_cell *cell, __u64 hash,
					 __u8 *class_id, __u8 *flags)
{
	__u64 opener = *(const volatile __u64 *)&cell->opener;

	if ((opener ^ cell_tag(hash)) & CELL_OPENER_TAG)
		return 0;
	*class_id = opener;
	*flags = opener >> CELL_FLAGS_SHIFT;
	return 1;
}

/* The flags of a new slot that obeys the agent's command for its flow. */
static __always_inline __u8 raised_flags(__u8 word)
{
	switch (word & NIDS_COMMAND_INTEREST) {
	case NIDS_INTEREST_CAPTURE:
		return NIDS_FLOW_WATCHED | NIDS_FLOW_CAPTURE;
	case NIDS_INTEREST_HEADERS:
		return NIDS_FLOW_WATCHED | NIDS_FLOW_HEADERS;
	default:
		return 0;
	}
}

/* Returns whether this overwrites the cell of another flow. */
static __always_inline int remember_opener(struct nids_flow_cell *cell, __u64 hash, __u8 class_id,
					   __u8 flags)
{
	int replaces = cell->opener && !cell_is_of(cell, hash);

	*(volatile __u64 *)&cell->opener =
	    (cell_tag(hash) & CELL_OPENER_TAG) | (__u64)flags << CELL_FLAGS_SHIFT | class_id;
	*(volatile __u64 *)&cell->history = cell_tag(hash) & CELL_HISTORY_TAG;
	return replaces;
}

/* Stores another opener and class than the first packet gave. Returns whether the cell is the
 * flow's and had the wrong ones.
 */
static __always_inline int correct_cell(struct nids_flow_cell *cell, __u64 hash, __u8 class_id,
					__u8 opener_flag)
{
	const __u64 flag = (__u64)NIDS_FLOW_OPENER_HI << CELL_FLAGS_SHIFT;

	/* The agent sets flags in the same word. They must not be lost. */
	for (int tries = 0; tries < 3; tries++) {
		__u64 opener = *(const volatile __u64 *)&cell->opener;
		__u64 corrected =
		    (opener & ~(flag | 0xff)) | (__u64)opener_flag << CELL_FLAGS_SHIFT | class_id;

		if ((opener ^ cell_tag(hash)) & CELL_OPENER_TAG || corrected == opener)
			return 0;
		if (__sync_val_compare_and_swap(&cell->opener, opener, corrected) == opener)
			return 1;
	}
	return 0;
}

#define HISTORY_LOW_BITS 0x111111111111ull /* the lowest of each event */
#define HISTORY_BITS	 (NIDS_HISTORY_EVENTS * NIDS_HISTORY_EVENT_BITS)

/* Another CPU may have seen the same first: a zero among the differences, by the
 * well-known test of all parts of a word at once.
 */
static __always_inline int history_has(__u64 history, __u64 event)
{
	__u64 differs = history ^ event * HISTORY_LOW_BITS;

	return ((differs - HISTORY_LOW_BITS) & ~differs & HISTORY_LOW_BITS << 3) != 0;
}

/* The history with the events behind it: a bit each by NIDS_EVENT_* of one sender,
 * whose SYN is the event `syn`, lowest first.
 */
NIDS_CHECKED_ONCE __u64 nids_history_with(__u64 history, __u32 events, __u32 syn)
{
	__u64 used = (history | history >> 1 | history >> 2 | history >> 3) & HISTORY_LOW_BITS;
	/* The product's highest event holds the sum of all. */
	__u32 shift = (used * HISTORY_LOW_BITS >> (HISTORY_BITS - NIDS_HISTORY_EVENT_BITS) & 0xf) *
		      NIDS_HISTORY_EVENT_BITS;

	NIDS_UNROLL
	for (int i = 0; i < NIDS_EVENTS_PER_SENDER; i++) {
		if (!(events >> i & 1) || shift >= HISTORY_BITS || history_has(history, syn + i))
			continue;
		history |= (__u64)(syn + i) << shift;
		shift += NIDS_HISTORY_EVENT_BITS;
	}
	return history;
}

/* The number of the one bit that is set. */
static const __u8 event_number[NIDS_EVENT_RST * 2] = {
    [NIDS_EVENT_SYN_ACK] = 1, [NIDS_EVENT_ACK] = 2, [NIDS_EVENT_DATA] = 3,
    [NIDS_EVENT_FIN] = 4,     [NIDS_EVENT_RST] = 5,
};

/* Where another CPU appends at the same moment one of the two may be lost to the
 * order; both slots still have it.
 */
static __always_inline void append_history(struct nids_flow_cell *cell, __u64 hash, __u32 events,
					   __u8 sender)
{
	__u64 history = *(const volatile __u64 *)&cell->history;
	__u32 syn = 1 + (sender & 1) * NIDS_EVENTS_PER_SENDER;

	if ((history ^ cell_tag(hash)) & CELL_HISTORY_TAG)
		return;
	/* Of a new flow it is the first, and alone: no call, which costs as much as all this. */
	if (!(history & ~CELL_HISTORY_TAG) && !(events & (events - 1)))
		history |= syn + event_number[events & (NIDS_EVENT_RST * 2 - 1)];
	else
		history = (history & CELL_HISTORY_TAG) |
			  nids_history_with(history & ~CELL_HISTORY_TAG, events, syn);
	*(volatile __u64 *)&cell->history = history;
}

/* Without its tag; 0 where the flow was forgotten. */
static __always_inline __u64 recall_history(const struct nids_flow_cell *cell, __u64 hash)
{
	__u64 history = *(const volatile __u64 *)&cell->history;

	if ((history ^ cell_tag(hash)) & CELL_HISTORY_TAG)
		return 0;
	return history & ~CELL_HISTORY_TAG;
}

/* Zeek's history letters, by what one packet shows. */
static __always_inline __u32 events_of(const struct flow_packet *f)
{
	__u32 events = NIDS_EVENT_DATA * f->has_payload;
	__u8 flags = f->tcp_flags & (TCP_SYN | TCP_ACK | TCP_FIN | TCP_RST);

	if (f->l4_proto != PROTO_TCP)
		return events;
	if (flags == TCP_ACK)				 /* nearly all */
		return NIDS_EVENT_ACK << f->has_payload; /* DATA is the next */
	if (flags == TCP_SYN)
		return events | NIDS_EVENT_SYN;
	if (flags & TCP_SYN)
		events |= flags & TCP_ACK ? NIDS_EVENT_SYN_ACK : NIDS_EVENT_SYN;
	if (flags & TCP_FIN)
		events |= NIDS_EVENT_FIN;
	if (flags & TCP_RST)
		events |= NIDS_EVENT_RST;
	return events;
}

#endif
