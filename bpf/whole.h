/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The same stages over a frame that is read by helper: what is out of the ordinary, and
 * what goes up. The packet is in the pass.
 */
#ifndef NIDS_WHOLE_H
#define NIDS_WHOLE_H

#include "account.h"
#include "plain.h"

/* parse, with what the hook says. */
static __always_inline int parse_to_pass(struct pass *pass, struct cursor *cursor)
{
	__builtin_memset(&pass->packet, 0, sizeof(pass->packet));
	__builtin_memset(&pass->detail.outer, 0, sizeof(pass->detail.outer));
	hook_give_tag(&pass->hook, &pass->packet);
	hook_give_link(&pass->hook, cursor, &pass->packet);
	pass->packet.result =
	    parse_frame(cursor, &pass->packet, &pass->detail.outer, pass->hook.is_ethernet);
	hook_shift_offsets(&pass->hook, &pass->packet, &pass->detail.outer);
	return 0;
}

static __always_inline struct first_pass_frame frame_of(const struct pass *pass, struct gso gso,
							enum nids_direction direction)
{
	struct first_pass_frame frame = {
	    .frame_len = pass->hook.wire_len + hook_tag_bytes(&pass->hook), .direction = direction};

	expand_gso(&frame, &pass->packet, gso);
	return frame;
}

static __always_inline int parse_whole(void *ctx, struct pass *pass, struct gso gso, int is_xdp)
{
	struct cursor cursor = helper_cursor(ctx, &pass->hook, is_xdp);

	parse_to_pass(pass, &cursor);
	pass->frame = frame_of(pass, gso, is_xdp ? NIDS_INGRESS : NIDS_EGRESS);
	return 0;
}

/* All stages behind parse. */
static __always_inline enum outcome pass_whole(struct pass *pass)
{
	struct nids_counters *counters = counters_of_this_cpu();

	if (!counters)
		return PASS_DONE;
	stats_packet(counters, &pass->packet, &pass->frame);
	if (pass->packet.flags & NIDS_PACKET_IS_FLOW) {
		pass->verdict = account_pass(pass);
	} else {
		pass->verdict = (struct first_pass_verdict){.from_opener = 1}; /* who else */
		add_sum(&counters->no_flow, pass->frame.wire_packets, pass->frame.wire_len);
	}
	account_findings(pass);
	return pass->verdict.goes_up ? PASS_UP : PASS_DONE;
}

/* A packet that was read in place goes up: now to memory. */
static __always_inline int parse_again(struct pass *pass, const void *data, const void *end,
				       struct gso gso, enum nids_direction direction)
{
	struct cursor cursor = plain_cursor(data, end, &pass->hook);

	parse_to_pass(pass, &cursor);
	pass->frame = frame_of(pass, gso, direction);
	pass->findings = 0;
	return 0;
}

#endif
