/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Records to the agent: reserve, fill, submit; every failed reserve is counted
 * by reason, in records and bytes.
 */
#ifndef NIDS_RING_RING_H
#define NIDS_RING_RING_H

#include "clock.h"
#include "flow/cell.h"
#include "stats.h"

#define RING_WAKE_BYTES (64 * 1024)

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

/* A forced wake-up costs 4 us, so it is had at most once a jiffy, and only
 * where the agent's own timer would come late. Two CPUs may both force one in
 * the same jiffy: harmless.
 */
static __always_inline __u64 ring_flags(void *ring, __u32 index)
{
	__u64 *last;
	__u64 now;

	if (bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) < RING_WAKE_BYTES)
		return BPF_RB_NO_WAKEUP;
	last = bpf_map_lookup_elem(&nids_wakeups, &index);
	now = bpf_jiffies64();
	if (!last || *last == now)
		return BPF_RB_NO_WAKEUP;
	*last = now;
	return BPF_RB_FORCE_WAKEUP;
}

static __always_inline void *ring_reserve(void *ring, struct nids_counters *c,
					  enum nids_reason reason, const __u64 size)
{
	void *record = bpf_ringbuf_reserve(ring, size, 0);

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

static __always_inline struct nids_flow_cell *ring_cell(__u64 hash)
{
	__u32 index = hash >> 32 & nids_cells_mask;

	return bpf_map_lookup_elem(&nids_cells, &index);
}

/* A slot leaves the table. Its own hash says which ring it goes to. */
static __always_inline int ring_flow(struct nids_counters *c, flow_word *key, const __u32 words,
				     enum nids_export cause)
{
	const struct nids_flow_state *state = slot_state(key, words);
	__u64 hash = flow_hash(key, words, nids_hash_keys);
	const struct nids_flow_cell *cell = ring_cell(hash);
	__u32 index = ring_of(hash);
	void *ring = ring_map(index);
	struct nids_flow_event *record;

	if (!ring)
		return 0;
	record = ring_reserve(ring, c, NIDS_REASON_FLOW_EXPORT, sizeof(*record));
	if (!record)
		return 0;
	__builtin_memset(record, 0, sizeof(*record));
	fill_event(&record->event, NIDS_RECORD_FLOW_EXPORT, 0, pass_now_coarse_ns());
	if (words == FLOW4_WORDS)
		unpack_flow4_key((const struct nids_flow4_key *)key, &record->flow.key);
	else
		unpack_flow6_key((const struct nids_flow6_key *)key, &record->flow.key);
	record->flow.state = *state;
	record->flow.history = cell ? recall_history(cell, hash) : 0;
	record->now_ticks = pass_now_ticks();
	record->tick_ns = nids_tick_ns;
	record->cause = cause;
	bpf_ringbuf_submit(record, ring_flags(ring, index));
	return 1;
}

/* Once for each table, by indexes: a global function takes no slot of a map. */
__noinline int nids_export4(__u32 set, __u32 way, __u32 cause)
{
	__u32 cpu = pass_cpu();
	struct nids_counters *c = bpf_map_lookup_elem(&nids_counters, &cpu);
	struct nids_flow4_set *table = bpf_map_lookup_elem(&nids_flows4, &set);

	if (!c || !table)
		return 0;
	return ring_flow(c, (flow_word *)&table->way[way & (NIDS_WAYS - 1)], FLOW4_WORDS, cause);
}

__noinline int nids_export6(__u32 set, __u32 way, __u32 cause)
{
	__u32 cpu = pass_cpu();
	struct nids_counters *c = bpf_map_lookup_elem(&nids_counters, &cpu);
	struct nids_flow6_set *table = bpf_map_lookup_elem(&nids_flows6, &set);

	if (!c || !table)
		return 0;
	return ring_flow(c, (flow_word *)&table->way[way & (NIDS_WAYS - 1)], FLOW6_WORDS, cause);
}

/* `host` is the index of the set. */
#define export_flow(host, f, place, cause)                                                         \
	((f)->words == FLOW4_WORDS ? nids_export4(*(const __u32 *)(host), (place)->way, cause)     \
				   : nids_export6(*(const __u32 *)(host), (place)->way, cause))
#define flow_cell(host, hash) ((void)(host), ring_cell(hash))

#endif
