/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Records to the agent: reserve, fill, submit; every failed reserve is counted
 * by reason, in records and bytes.
 */
#ifndef NIDS_RING_RING_H
#define NIDS_RING_RING_H

#include "clock.h"
#include "flow/cell.h"
#include "ring/flow_record.h"
#include "ring/shard.h"
#include "stats.h"

#define RING_WAKE_SHARE 8 /* of the ring, pending */
#define RING_ASK_BYTES	(16 * 1024)
#define RING_ASKS	64 /* at least, while a ring fills up */
#define RING_WAKE_SHIFT 18 /* of nanoseconds: a quarter of a millisecond */

static __always_inline void *ring_map(__u32 index)
{
	return bpf_map_lookup_elem(&nids_rings, &index);
}

static __always_inline struct ring_state *ring_state_of(__u32 index)
{
	return bpf_map_lookup_elem(&nids_ring_states, &index);
}

/* The last quarter of a ring is reserved for packets of flows that go on. Flow records may not use
 * it, because an eviction storm would fill it. First packets may use it once a second for each
 * bucket of sender and class (is_withheld() in ring/packet.h), because forged ones would fill it
 * too.
 */
static __always_inline int is_last_quarter(__u64 pending)
{
	return pending >= nids_ring_bytes / 4 * 3;
}

/* Returns whether the last quarter is in use. While the flag is set, this asks the ring each time,
 * because nothing else would clear the flag.
 */
static __always_inline int is_ring_short(void *ring, struct ring_state *state)
{
	if (!state->is_short)
		return 0;
	state->is_short = is_last_quarter(bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA));
	return state->is_short;
}

/* A query of the ring costs 20 ns, because the consumer writes the cache line. So a CPU queries
 * once for each RING_ASK_BYTES that it offers, or a RING_ASKS-th of a small ring. `size` is that of
 * the current record, which `offered` already contains.
 */
static __always_inline int is_time_to_ask(const struct nids_counters *c, const __u32 size)
{
	__u64 offered = c->ring_offered.bytes;
	__u32 step = nids_ring_bytes / RING_ASKS;

	return (offered ^ (offered - size)) >= (step < RING_ASK_BYTES ? step : RING_ASK_BYTES);
}

/* A forced wake-up costs 4 us here and ten times that in the agent, so it is had
 * only where the agent's own timer would come late, and at most once in a quarter of
 * a millisecond: much longer, and a small ring that fills meanwhile takes no record
 * any more that could force one. Two CPUs may both force one: harmless.
 */
static __always_inline __u64 ring_flags(void *ring, struct ring_state *state,
					const struct nids_counters *c, const __u32 size)
{
	__u64 pending, now;
	__u32 is_short;

	if (!is_time_to_ask(c, size))
		return BPF_RB_NO_WAKEUP;
	pending = bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA);
	is_short = is_last_quarter(pending);
	if (is_short != state->is_short) /* a line that all CPUs read */
		state->is_short = is_short;
	if (pending < nids_ring_bytes / RING_WAKE_SHARE)
		return BPF_RB_NO_WAKEUP;
	now = bpf_ktime_get_ns() >> RING_WAKE_SHIFT;
	if (state->forced == now)
		return BPF_RB_NO_WAKEUP;
	state->forced = now;
	return BPF_RB_FORCE_WAKEUP;
}

/* Returns null if the ring is full or `is_refused` is set. The record is then counted as lost. */
static __always_inline void *ring_reserve(void *ring, struct ring_state *state,
					  struct nids_counters *c, enum nids_reason reason,
					  const __u64 size, int is_refused)
{
	void *record = is_refused ? 0 : bpf_ringbuf_reserve(ring, size, 0);

	add_sum(&c->ring_offered, 1, size);
	if (!record) {
		state->is_short = 1;
		add_sum(&c->ring_lost[reason], 1, size);
	}
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

/* Reads both cache lines that hold the cells of the flow's set, so that they arrive while the set
 * is searched. The cell of the flow that may be replaced is in one of them.
 */
static __always_inline void fetch_cells(__u64 hash)
{
	__u32 index = cell_index(hash, nids_cells_bits), other = index ^ CELLS_PER_LINE;
	const struct nids_flow_cell *own = bpf_map_lookup_elem(&nids_cells, &index);
	const struct nids_flow_cell *neighbour = bpf_map_lookup_elem(&nids_cells, &other);

	if (own)
		(void)*(const volatile __u64 *)&own->opener;
	if (neighbour)
		(void)*(const volatile __u64 *)&neighbour->opener;
}

/* A slot leaves the table. Its record goes to the ring of its set, as its packets do. */
static __always_inline int ring_flow(struct nids_counters *c, struct coarse_clock *clock,
				     flow_word *key, const __u32 words, __u8 cause)
{
	const struct nids_flow_state *state = slot_state(key, words);
	const __u32 size = flow_record_bytes(words);
	const __u32 sets = words == FLOW4_WORDS ? nids_sets4_per_cpu : nids_sets6_per_cpu;
	__u64 hash = slot_hash(key, words, nids_hash_keys);
	__u32 set = hash >> 32 & (sets - 1);
	const struct nids_flow_cell *cell = cell_of(hash);
	__u32 index = nids_ring_of_set(set, sets, nids_ring_count);
	struct ring_state *ring_state = ring_state_of(index);
	void *ring = ring_map(index);
	struct nids_flow_event *record;

	if (!ring || !ring_state)
		return 0;
	record = ring_reserve(ring, ring_state, c, NIDS_REASON_FLOW_EXPORT, size,
			      is_ring_short(ring, ring_state));
	if (!record)
		return 0;
	__builtin_memset(record, 0, size);
	fill_event(&record->event, NIDS_RECORD_FLOW_EXPORT, 0, pass_now_coarse_ns(clock));
	fill_flow_key(key, words, record);
	record->flow.state = *state;
	record->flow.history = cell ? recall_history(cell, hash) : 0;
	record->now_ticks = pass_now_ticks();
	record->tick_ns = nids_tick_ns;
	record->set = set;
	record->cpu = pass_cpu();
	record->cause = cause;
	bpf_ringbuf_submit(record, ring_flags(ring, ring_state, c, size));
	return 1;
}

/* The host of the tables is the clock. */
#define export_flow(t, f, place, cause)                                                            \
	ring_flow((t)->counters, (t)->host, (place)->key, (f)->words, cause)
#define flow_cell(t, hash) ((void)(t), cell_of(hash))

#endif
