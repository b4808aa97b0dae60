/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ring, once for each type of context: the packet in pass_of_this_cpu() goes up. */
#ifndef NIDS_SEND_H
#define NIDS_SEND_H

#include "account.h"
#include "parse/detail.h"
#include "read.h"
#include "ring/packet.h"

static __always_inline void read_detail(void *ctx, struct pass *pass, int is_xdp)
{
	struct cursor cursor = helper_cursor(ctx, &pass->hook, is_xdp);
	__u32 tag_bytes = hook_tag_bytes(&pass->hook);

	__builtin_memset(&pass->detail.embedded, 0, sizeof(pass->detail.embedded));
	__builtin_memset(&pass->detail.tcp_options, 0, sizeof(pass->detail.tcp_options));
	parse_detail(&cursor, &pass->packet, tag_bytes, &pass->detail);
}

/* Writes the set of the flow, which is the same in each CPU's table, and returns the ring. */
static __always_inline __u32 choose_ring(const struct pass *pass, __u32 *set)
{
	int is_table4 = pass->packet.ip_version == 4 && !has_extended_key(&pass->packet);
	__u32 sets = is_table4 ? nids_sets4_per_cpu : nids_sets6_per_cpu;

	*set = 0;
	if (!(pass->packet.flags & NIDS_PACKET_IS_FLOW))
		return ring_without_flow(&pass->packet, &pass->detail.outer, nids_hash_keys,
					 nids_ring_count);
	*set = pass->flow.hash >> 32 & (sets - 1);
	return nids_ring_of_set(*set, sets, nids_ring_count);
}

static __always_inline int send(void *ctx, struct pass *pass, int is_xdp)
{
	struct ring_packet r = {
	    .ctx = ctx, .pass = pass, .counters = counters_of_this_cpu(), .is_xdp = is_xdp};
	__u32 ring_index;

	if (!r.counters)
		return 0;
	ring_index = choose_ring(pass, &r.set);
	r.ring = ring_map(ring_index);
	r.ring_state = ring_state_of(ring_index);
	if (!r.ring || !r.ring_state) /* never: all are made before the program is loaded */
		return 0;
	r.is_withheld = is_withheld(pass, r.counters, r.ring, r.ring_state);
	if (has_detail(&pass->packet)) {
		read_detail(ctx, pass, is_xdp);
		ring_packet(&r, 1);
	} else {
		ring_packet(&r, 0);
	}
	return 0;
}

/* A packet that was read in place is read once more, now to memory: few go up, and what
 * need not be remembered makes the rest faster.
 */
static __always_inline void parse_again(struct pass *pass, const void *data, const void *end)
{
	struct cursor cursor = plain_cursor(data, end, &pass->hook);

	parse_hooked(&cursor, &pass->hook, &pass->packet, &pass->detail.outer);
	pass->findings = 0;
}

__noinline int nids_send_xdp(struct xdp_md *ctx)
{
	struct pass *pass = pass_of_this_cpu();

	if (!pass)
		return 0;
	if (pass->is_plain)
		parse_again(pass, (void *)(long)ctx->data + pass_lead(),
			    (void *)(long)ctx->data_end);
	return send(ctx, pass, 1);
}

__noinline int nids_send_skb(struct __sk_buff *skb)
{
	struct pass *pass = pass_of_this_cpu();

	if (!pass)
		return 0;
	if (pass->is_plain)
		parse_again(pass, (void *)(long)skb->data, (void *)(long)skb->data_end);
	return send(skb, pass, 0);
}

#endif
