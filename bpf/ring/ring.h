/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Records to the agent: reserve, fill, submit; every failed reserve is counted
 * by kind, in records and bytes.
 */
#ifndef NIDS_RING_RING_H
#define NIDS_RING_RING_H

#include "clock.h"
#include "maps.h"
#include "settings.h"
#include "stats.h"

#define RING_WAKE_BYTES (64 * 1024)

/* A forced wake-up costs 4 us, so it is had at most once a jiffy, and only
 * where the agent's own timer would come late. Two CPUs may both force one in
 * the same jiffy: harmless.
 */
static __always_inline __u64 ring_flags(void)
{
	__u32 zero = 0;
	__u64 *last = bpf_map_lookup_elem(&nids_wakeup, &zero);
	__u64 now;

	if (!last || bpf_ringbuf_query(&nids_ring, BPF_RB_AVAIL_DATA) < RING_WAKE_BYTES)
		return BPF_RB_NO_WAKEUP;
	now = bpf_jiffies64();
	if (*last == now)
		return BPF_RB_NO_WAKEUP;
	*last = now;
	return BPF_RB_FORCE_WAKEUP;
}

static __always_inline void *ring_reserve(struct nids_counters *c, enum nids_record_kind kind,
					  const __u64 size)
{
	void *record = bpf_ringbuf_reserve(&nids_ring, size, 0);

	add_sum(&c->ring_offered, 1, size);
	if (!record)
		add_sum(&c->ring_lost[kind], 1, size);
	return record;
}

static __always_inline void fill_event(struct nids_event *event, enum nids_record_kind kind,
				       __u8 direction)
{
	event->ktime_ns = record_now_ns();
	event->abi_version = NIDS_ABI_VERSION;
	event->kind = kind;
	event->direction = direction;
	event->ifindex = nids_ifindex;
}

static __always_inline int ring_flow(struct nids_counters *c, const struct nids_flow_slot *slot)
{
	struct nids_flow_event *record = ring_reserve(c, NIDS_RECORD_FLOW_EXPORT, sizeof(*record));

	if (!record)
		return 0;
	fill_event(&record->event, NIDS_RECORD_FLOW_EXPORT, 0);
	record->slot = *slot;
	bpf_ringbuf_submit(record, ring_flags());
	return 1;
}

#define export_flow(host, slot) ring_flow(host, slot)

#endif
