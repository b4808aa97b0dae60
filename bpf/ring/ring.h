/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Records to the agent: reserve, fill, submit; every failed reserve is counted
 * by reason, in records and bytes.
 */
#ifndef NIDS_RING_RING_H
#define NIDS_RING_RING_H

#include "clock.h"
#include "flow/cell.h"
#include "ring/flow_record.h"
#include "stats.h"

#define RING_WAKE_SHARE 8 /* of the ring, pending */
#define RING_ASK_BYTES	(16 * 1024)
#define RING_WAKE_SHIFT 18 /* of nanoseconds: a quarter of a millisecond */

/* One ring a worker, by flow, so that a flow stays in order with one worker. What has
 * no flow goes to the first.
 */
static __always_inline __u32 ring_of(__u64 hash)
{
	return (hash >> 32) * nids_ring_count >> 32;
}

static __always_inline void *ring_map(__u32 index)
{
	return bpf_map_lookup_elem(&nids_rings, &index);
}

/* A forced wake-up costs 4 us here and ten times that in the agent, so it is had
 * only where the agent's own timer would come late, and at most once in a quarter of
 * a millisecond: much longer, and a small ring that fills meanwhile takes no record
 * any more that could force one. Two CPUs may both force one: harmless. To ask what is
 * pending costs 10 ns and more, the line being the consumer's: a CPU asks once for
 * so many bytes that it offers, of which `size` are those of the record at hand.
 */
static __always_inline __u64 ring_flags(void *ring, __u32 index, const struct nids_counters *c,
					const __u32 size)
{
	__u64 offered = c->ring_offered.bytes;
	__u64 *last;
	__u64 now;

	if (offered / RING_ASK_BYTES == (offered - size) / RING_ASK_BYTES ||
	    bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) < nids_ring_bytes / RING_WAKE_SHARE)
		return BPF_RB_NO_WAKEUP;
	last = bpf_map_lookup_elem(&nids_wakeups, &index);
	now = bpf_ktime_get_ns() >> RING_WAKE_SHIFT;
	if (!last || *last == now)
		return BPF_RB_NO_WAKEUP;
	*last = now;
	return BPF_RB_FORCE_WAKEUP;
}

/* The last quarter of a ring is for packets of flows that go on. Records of flows leave it to them,
 * because an eviction storm would fill it; and so do first packets, all but one a second from each
 * bucket of senders and class (is_withheld() in ring/packet.h), because forged ones would.
 */
static __always_inline int is_ring_short(void *ring)
{
	return bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) >= nids_ring_bytes / 4 * 3;
}

/* Null where there is no room, or none for this record: `is_refused`. Either way it is lost. */
static __always_inline void *ring_reserve(void *ring, struct nids_counters *c,
					  enum nids_reason reason, const __u64 size, int is_refused)
{
	void *record = is_refused ? 0 : bpf_ringbuf_reserve(ring, size, 0);

	add_sum(&c->ring_offered, 1, size);
	if (!record)
		add_sum(&c->ring_lost[reason], 1, size);
	return record;
}

static __always_inline void fill_event(struct nids_event *event, enum nids_record_kind kind,
				       __u8 direction, __u64 now_ns)
{
	event->ktime_ns = now_ns;
	event->abi_version = NIDS_ABI_VERSION;
	event->kind = kind;
	event->direction = direction;
	event->ifindex = nids_ifindex;
}

static __always_inline struct nids_flow_cell *cell_of(__u64 hash)
{
	__u32 index = cell_index(hash, nids_cells_bits);

	return bpf_map_lookup_elem(&nids_cells, &index);
}

/* A slot leaves the table. Its own hash says which ring it goes to. */
static __always_inline int ring_flow(struct nids_counters *c, struct coarse_clock *clock,
				     flow_word *key, const __u32 words, __u8 cause)
{
	const struct nids_flow_state *state = slot_state(key, words);
	const __u32 size = flow_record_bytes(words);
	__u64 hash = slot_hash(key, words, nids_hash_keys);
	const struct nids_flow_cell *cell = cell_of(hash);
	__u32 index = ring_of(hash);
	void *ring = ring_map(index);
	struct nids_flow_event *record;

	if (!ring)
		return 0;
	record = ring_reserve(ring, c, NIDS_REASON_FLOW_EXPORT, size, is_ring_short(ring));
	if (!record)
		return 0;
	__builtin_memset(record, 0, size);
	fill_event(&record->event, NIDS_RECORD_FLOW_EXPORT, 0, pass_now_coarse_ns(clock));
	fill_flow_key(key, words, record);
	record->flow.state = *state;
	record->flow.history = cell ? recall_history(cell, hash) : 0;
	record->now_ticks = pass_now_ticks();
	record->tick_ns = nids_tick_ns;
	record->set =
	    hash >> 32 & ((words == FLOW4_WORDS ? nids_sets4_per_cpu : nids_sets6_per_cpu) - 1);
	record->cpu = pass_cpu();
	record->cause = cause;
	bpf_ringbuf_submit(record, ring_flags(ring, index, c, size));
	return 1;
}

/* The host of the tables is the clock. */
#define export_flow(t, f, place, cause)                                                            \
	ring_flow((t)->counters, (t)->host, (place)->key, (f)->words, cause)
#define flow_cell(t, hash) ((void)(t), cell_of(hash))

#endif
