/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The record of one packet: its headers as parsed, and its bytes. */
#ifndef NIDS_RING_PACKET_H
#define NIDS_RING_PACKET_H

#include "hook.h"
#include "pass.h"
#include "ring/room.h"

#define ADDRESS_BYTES 12 /* both MAC addresses: a tag stands behind them */
#define XDP_COPY      32768

struct ring_packet {
	void *ctx;
	const struct pass *pass;
	struct nids_counters *counters;
	void *ring;
	struct ring_state *ring_state;
	__u32 cap_len;
	__u32 set;
	int is_withheld;
	int is_xdp; /* a constant where it is set, so one branch is compiled */
};

/* Returns whether the packet may not use the last quarter of the ring. That is so for first packets
 * of flows beyond one a second in their bucket. Later packets, which include the answer to a SYN,
 * may always use it. So may samples, which have limits of their own.
 */
static __always_inline int is_withheld(const struct pass *pass, struct nids_counters *c, void *ring,
				       struct ring_state *ring_state)
{
	__u32 zero = 0, now_ticks = pass_now_ticks(), *last;
	struct nids_sample_buckets *buckets;

	if (!pass->verdict.is_first || pass->verdict.reason == NIDS_REASON_FINDING ||
	    !is_ring_short(ring, ring_state))
		return 0;
	buckets = bpf_map_lookup_elem(&nids_samples, &zero);
	if (!buckets)
		return 0;
	last = first_packet_time(buckets, sender_hash(&pass->packet, nids_hash_keys),
				 pass->verdict.class_id, nids_ring_bytes);
	if (is_repetition(*last, now_ticks, nids_second_ticks)) {
		c->first_packets_withheld += pass->frame.wire_packets;
		return 1;
	}
	*last = now_ticks ? now_ticks : 1;
	return 0;
}

/* Proves 0 < len <= room to the verifier, which has lost it on the way here. One
 * compare of len - 1: clang makes it of two anyway, and a kernel before 6.11 does
 * not carry a bound from there back to len, so len is made of what was compared.
 */
static __always_inline long load(const struct ring_packet *r, __u32 offset, void *to, __u32 len,
				 const __u32 room)
{
	len--;
	__asm__ volatile("" : "+r"(len));
	if (len >= room)
		return -1;
	len++;
	offset += pass_lead();
	return r->is_xdp ? bpf_xdp_load_bytes(r->ctx, offset, to, len)
			 : bpf_skb_load_bytes(r->ctx, offset, to, len);
}

/* The same where one call does not do it: at XDP it copies at most 65,535 bytes. */
static __always_inline long load_all(const struct ring_packet *r, __u8 *to, const __u32 room)
{
	if (room <= XDP_COPY || !r->is_xdp || r->cap_len <= XDP_COPY)
		return load(r, 0, to, r->cap_len, room);
	return load(r, 0, to, XDP_COPY, XDP_COPY) ||
	       load(r, XDP_COPY, to + XDP_COPY, r->cap_len - XDP_COPY, room - XDP_COPY);
}

/* Copies the first cap_len bytes of the frame, its tag back in place, to `to`,
 * which has `room` bytes, a constant. Non-zero where the kernel refuses.
 */
static __always_inline long load_frame(const struct ring_packet *r, __u8 *to, const __u32 room)
{
	const struct hook *hook = &r->pass->hook;
	const __u32 head = ADDRESS_BYTES + VLAN_TAG_BYTES;
	__be16 tag[2] = {be16(hook->tag_type), be16(hook->tag_tci)};

	if (!r->cap_len)
		return 0; /* TEST_RUN and taps alone give empty frames */
	if (!hook->tag_type)
		return load_all(r, to, room);
	if (r->cap_len <= head || load(r, 0, to, ADDRESS_BYTES, ADDRESS_BYTES))
		return -1;
	__builtin_memcpy(to + ADDRESS_BYTES, tag, VLAN_TAG_BYTES);
	return load(r, ADDRESS_BYTES, to + head, r->cap_len - head, room - head);
}

static __always_inline void submit_packet(const struct ring_packet *r, const int has_detail,
					  const __u32 snap)
{
	const struct pass *pass = r->pass;
	const __u32 detail_len = has_detail ? sizeof(pass->detail) : 0;
	const __u32 size = sizeof(struct nids_packet_event) + detail_len + snap;
	struct nids_packet_event *record = ring_reserve(
	    r->ring, r->ring_state, r->counters, pass->verdict.reason & 7, size, r->is_withheld);

	if (!record) {
		stats_lost(r->counters, pass->verdict.class_id, pass->frame.wire_packets,
			   pass->frame.wire_len);
		return;
	}
	fill_event(&record->event, NIDS_RECORD_PACKET, pass->frame.direction, pass_now_ns());
	record->packet = pass->packet;
	record->slot.set = r->set;
	record->slot.generation = pass->verdict.generation;
	record->wire_len = pass->frame.wire_len;
	record->wire_packets = pass->frame.wire_packets;
	record->frame_len = pass->frame.frame_len;
	record->cap_len = r->cap_len;
	record->segment_len = pass->frame.segment_len;
	record->findings = pass->findings;
	record->class_id = pass->verdict.class_id;
	record->from_opener = pass->verdict.from_opener;
	record->reason = pass->verdict.reason;
	record->detail_len = detail_len;
	record->other_class = pass->verdict.other_class;
	__builtin_memset(record->reserved, 0, sizeof(record->reserved));
	if (has_detail)
		*(struct nids_packet_detail *)(record + 1) = pass->detail;
	if (load_frame(r, (__u8 *)(record + 1) + detail_len, snap)) {
		add_sum(&r->counters->copy_failed, 1, size);
		bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
		return;
	}
	bpf_ringbuf_submit(record, ring_flags(r->ring, r->ring_state, r->counters, size));
}

/* `has_detail` is a constant. */
static __always_inline void ring_packet(struct ring_packet *r, const int has_detail)
{
	const struct pass *pass = r->pass;
	__u32 snap =
	    snap_of(pass->verdict.reason, &pass->packet, nids_snap_bytes, nids_sample_bytes);

	r->cap_len = pass->hook.buffer_len + hook_tag_bytes(&pass->hook);
	if (r->cap_len > snap)
		r->cap_len = snap;
	switch (snap_room(r->cap_len, has_detail)) {
	case SNAP_TINY:
		return submit_packet(r, has_detail, SNAP_TINY);
	case SNAP_SMALL:
		return submit_packet(r, has_detail, SNAP_SMALL);
	case SNAP_FRAME:
		return submit_packet(r, has_detail, SNAP_FRAME);
	case SNAP_JUMBO:
		return submit_packet(r, has_detail, SNAP_JUMBO);
	}
	submit_packet(r, has_detail, NIDS_SNAP_MAX);
}

#endif
