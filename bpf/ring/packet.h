/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The record of one packet: its headers as parsed, and its bytes. */
#ifndef NIDS_RING_PACKET_H
#define NIDS_RING_PACKET_H

#include "hook.h"
#include "ring/ring.h"
#include "ring/room.h"

#include "first_pass.h" /* after ring.h, which defines its export_flow */

#define ADDRESS_BYTES 12 /* both MAC addresses: a tag stands behind them */

#define XDP_COPY 32768

struct ring_packet {
	void *ctx;
	int is_xdp; /* a constant where it is set, so one branch is compiled */
	const struct hook *hook;
	const struct nids_packet *packet;
	const struct first_pass_frame *frame;
	struct first_pass_verdict verdict;
	__u32 cap_len;
};

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
	const __u32 head = ADDRESS_BYTES + VLAN_TAG_BYTES;
	__be16 tag[2] = {be16(r->hook->tag_type), be16(r->hook->tag_tci)};

	if (!r->hook->tag_type)
		return load_all(r, to, room);
	if (r->cap_len <= head || load(r, 0, to, ADDRESS_BYTES, ADDRESS_BYTES))
		return -1;
	__builtin_memcpy(to + ADDRESS_BYTES, tag, VLAN_TAG_BYTES);
	return load(r, ADDRESS_BYTES, to + head, r->cap_len - head, room - head);
}

static __always_inline int submit_packet(const struct ring_packet *r, struct nids_counters *c,
					 const __u32 snap)
{
	struct nids_packet_event *record =
	    ring_reserve(c, NIDS_RECORD_PACKET, sizeof(*record) + snap);

	if (!record)
		return 0;
	fill_event(&record->event, NIDS_RECORD_PACKET, r->frame->direction);
	record->packet = *r->packet;
	record->wire_len = r->frame->wire_len;
	record->wire_packets = r->frame->wire_packets;
	record->segment_len = r->frame->segment_len;
	record->frame_len = r->frame->frame_len;
	record->cap_len = r->cap_len;
	record->class_id = r->verdict.class_id;
	record->from_opener = r->verdict.from_opener;
	__builtin_memset(record->reserved, 0, sizeof(record->reserved));
	if (load_frame(r, (__u8 *)(record + 1), snap)) {
		add_sum(&c->copy_failed, 1, sizeof(*record) + snap);
		bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
		return 0;
	}
	bpf_ringbuf_submit(record, ring_flags());
	return 1;
}

static __always_inline int ring_packet(struct ring_packet *r)
{
	__u32 cpu = pass_cpu();
	struct nids_counters *c = bpf_map_lookup_elem(&nids_counters, &cpu);

	if (!c)
		return 0;
	r->cap_len = r->hook->buffer_len - pass_lead() + hook_tag_bytes(r->hook);
	if (r->cap_len > nids_snap_bytes)
		r->cap_len = nids_snap_bytes;
	if (r->cap_len <= SNAP_SMALL)
		return submit_packet(r, c, SNAP_SMALL);
	if (r->cap_len <= SNAP_FRAME)
		return submit_packet(r, c, SNAP_FRAME);
	if (r->cap_len <= SNAP_JUMBO)
		return submit_packet(r, c, SNAP_JUMBO);
	return submit_packet(r, c, NIDS_SNAP_MAX);
}

#endif
