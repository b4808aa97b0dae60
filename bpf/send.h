/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ring, once for each type of context: the packet in pass_of_this_cpu() goes up. */
#ifndef NIDS_SEND_H
#define NIDS_SEND_H

#include "account.h"
#include "parse/detail.h"
#include "ring/packet.h"

static __always_inline void read_detail(void *ctx, struct pass *pass, int is_xdp)
{
	struct cursor cursor = helper_cursor(ctx, &pass->hook, is_xdp);
	__u32 tag_bytes = hook_tag_bytes(&pass->hook);

	__builtin_memset(&pass->detail.embedded, 0, sizeof(pass->detail.embedded));
	__builtin_memset(&pass->detail.tcp_options, 0, sizeof(pass->detail.tcp_options));
	parse_detail(&cursor, &pass->packet, tag_bytes, &pass->detail);
}

static __always_inline int send(void *ctx, int is_xdp)
{
	struct pass *pass = pass_of_this_cpu();
	struct ring_packet r = {
	    .ctx = ctx, .pass = pass, .counters = counters_of_this_cpu(), .is_xdp = is_xdp};
	__u64 hash = 0;

	if (!r.counters || !pass)
		return 0;
	if (pass->packet.flags & NIDS_PACKET_IS_FLOW)
		hash = packet_hash(&pass->packet, &r.set);
	r.ring_index = ring_of(hash);
	r.ring = ring_map(r.ring_index);
	if (!r.ring) /* never: all are made before the program is loaded */
		return 0;
	if (has_detail(&pass->packet)) {
		read_detail(ctx, pass, is_xdp);
		ring_packet(&r, 1);
	} else {
		ring_packet(&r, 0);
	}
	return 0;
}

__noinline int nids_send_xdp(struct xdp_md *ctx)
{
	return send(ctx, 1);
}

__noinline int nids_send_skb(struct __sk_buff *ctx)
{
	return send(ctx, 0);
}

#endif
