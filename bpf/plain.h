/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All stages over a frame that is read in place: nearly all traffic. What the packet
 * holds never leaves the registers, which is what the speed of the first pass
 * comes from.
 */
#ifndef NIDS_PLAIN_H
#define NIDS_PLAIN_H

#include "account.h"
#include "read.h"

/* What has become of a frame, or is still to do. */
enum outcome {
	PASS_DONE,   /* accounted, and that is all */
	PASS_UP,     /* accounted, and it goes up: the verdict is in the pass */
	PASS_TAGGED, /* for the reading in place that knows VLAN tags */
	PASS_WHOLE   /* for the reading by helper */
};

struct plain {
	struct nids_counters *counters;
	struct cursor cursor;
	struct first_pass_frame frame;
	struct gso gso;
	struct nids_packet packet;
};

/* From the network header on, with the EtherType as a constant. */
static __always_inline enum outcome pass_ip(struct plain *l, const __u16 ether_type)
{
	struct nids_packet *packet = &l->packet;
	struct first_pass_verdict verdict;
	struct pass *pass;

	packet->ether_type = ether_type;
	if (parse_network(&l->cursor, packet) != NIDS_PARSE_OK)
		return PASS_WHOLE;
	if (nids_features & NIDS_FEATURE_FINDINGS && findings_of(packet))
		return PASS_WHOLE;
	expand_gso(&l->frame, packet, l->gso);
	stats_packet(l->counters, packet, &l->frame);
	verdict = account(l->counters, packet, &l->frame);
	if (!verdict.goes_up)
		return PASS_DONE;
	pass = pass_of_this_cpu();
	if (!pass)
		return PASS_DONE;
	pass->verdict = verdict;
	return PASS_UP;
}

/* `knows_tags` is a constant: without tags all offsets are, which makes less code. */
static __always_inline enum outcome pass_plain(struct plain *l, const int knows_tags)
{
	__u16 type;

	if (parse_ethernet(&l->cursor, &l->packet) != NIDS_PARSE_OK)
		return PASS_WHOLE;
	/* Few, and what need not be remembered makes the rest faster. */
	if (l->packet.flags & NIDS_PACKET_TO_BROADCAST)
		return PASS_WHOLE;
	if (knows_tags && parse_vlans(&l->cursor, &l->packet) != NIDS_PARSE_OK)
		return PASS_WHOLE;
	type = l->packet.ether_type;
	if (type == ETHER_IPV4)
		return pass_ip(l, ETHER_IPV4);
	if (type == ETHER_IPV6)
		return pass_ip(l, ETHER_IPV6);
	return !knows_tags && (type == ETHER_VLAN || type == ETHER_QINQ) ? PASS_TAGGED : PASS_WHOLE;
}

static __always_inline enum outcome plain_xdp(struct xdp_md *ctx, struct nids_counters *counters,
					      const int knows_tags)
{
	struct hook hook = hook_of_xdp(ctx);
	struct plain l = {
	    .counters = counters,
	    .cursor = plain_cursor((void *)(long)ctx->data + pass_lead(),
				   (void *)(long)ctx->data_end, &hook),
	    .frame = {.frame_len = hook.wire_len, .direction = NIDS_INGRESS},
	};

	return hook.is_ethernet ? pass_plain(&l, knows_tags) : PASS_WHOLE;
}

static __always_inline enum outcome plain_skb(const struct __sk_buff *skb,
					      struct nids_counters *counters)
{
	struct hook hook = hook_of_skb(skb);
	struct plain l = {
	    .counters = counters,
	    .cursor = plain_cursor((void *)(long)skb->data, (void *)(long)skb->data_end, &hook),
	    .frame = {.frame_len = hook.wire_len + hook_tag_bytes(&hook), .direction = NIDS_EGRESS},
	    .gso = gso_of_skb(skb),
	};

	hook_give_tag(&hook, &l.packet);
	return pass_plain(&l, 0);
}

#endif
