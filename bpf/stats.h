/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Counting into one CPU's block. Pure: the block is given. */
#ifndef NIDS_STATS_H
#define NIDS_STATS_H

#include "frame.h"
#include "nids/abi/flow.h"
#include "nids/abi/packet.h"
#include "parse/wire.h"

/* The compiler may not move stores across it; x86 then keeps their order. */
#define stats_barrier() __asm__ volatile("" ::: "memory")

static __always_inline void stats_start(struct nids_counters *c)
{
	c->started += 1;
	stats_barrier();
}

static __always_inline void stats_finish(struct nids_counters *c)
{
	stats_barrier();
	c->finished += 1;
}

static __always_inline void add_sum(struct nids_sum *sum, __u64 packets, __u64 bytes)
{
	sum->packets += packets;
	sum->bytes += bytes;
}

/* The results are counted by wire packet, so that they add up to `seen`. The
 * bounds are for the verifier: no value of the enums is refused.
 */
static __always_inline void stats_packet(struct nids_counters *c, const struct nids_packet *p,
					 const struct first_pass_frame *f)
{
	__u64 packets = f->wire_packets;

	if (f->direction == NIDS_INGRESS)
		add_sum(&c->seen[NIDS_INGRESS], packets, f->wire_len);
	else
		add_sum(&c->seen[NIDS_EGRESS], packets, f->wire_len);
	if (p->result < NIDS_PARSE_RESULT_COUNT)
		c->parse[p->result] += packets;
	if (p->network < NIDS_NETWORK_COUNT)
		c->network[p->network] += packets;
	if (p->transport < NIDS_TRANSPORT_COUNT)
		c->transport[p->transport] += packets;
	if (p->tunnel != NIDS_TUNNEL_NONE && p->tunnel < NIDS_TUNNEL_COUNT)
		c->tunnel[p->tunnel] += packets;
}

/* An index that the verifier believes: masked in the register it is used from. */
static __always_inline __u32 class_index(__u32 class_id)
{
	__asm__ volatile("" : "+r"(class_id));
	return class_id & (NIDS_CLASS_MAX - 1);
}

static __always_inline void stats_class(struct nids_counters *c, __u8 class_id, __u64 packets,
					__u64 bytes, int opens_flow)
{
	struct nids_class_sum *sum = &c->classes[class_index(class_id)];

	if (class_id == 0)
		return;
	sum->packets += packets;
	sum->bytes += bytes;
	if (opens_flow)
		sum->flows += 1;
}

/* A record did not go up, for lack of room. */
static __always_inline void stats_lost(struct nids_counters *c, __u8 class_id, __u64 packets,
				       __u64 bytes)
{
	add_sum(&c->classes[class_index(class_id)].lost, packets, bytes);
}

/* A slot's counts leave the table. */
static __always_inline void stats_export(struct nids_counters *c,
					 const struct nids_flow_state *state)
{
	__u64 packets = (__u64)state->packets[0] + state->packets[1];
	__u64 bytes = state->bytes[0] + state->bytes[1];

	add_sum(&c->exported, packets, bytes);
	c->live.packets -= packets;
	c->live.bytes -= bytes;
}

#endif
