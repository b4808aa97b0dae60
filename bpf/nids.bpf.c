// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The first pass: a packet's way through the kernel, in order. Every frame is
 * passed on, whatever it holds.
 *
 * Nearly all traffic is read in place and accounted here. What is out of the
 * ordinary takes the same stages again with another reading (parse/cursor.h), in
 * a function of its own: the verifier checks each global function once, where
 * inlined every way through one would multiply every way through the next.
 */
#include "maps.h"
#include "read.h"

#include "account.h"
#include "parse/detail.h"
#include "ring/packet.h"
#include "send.h"

#include <linux/pkt_cls.h>
#include <xdp/xdp_helpers.h>

/* parse, for a frame that is read by helper. No function calls another that is as big:
 * the stacks of a chain are 512 bytes together, each rounded up to 32.
 */
static __always_inline int parse_whole(void *ctx, struct pass *pass, int is_xdp)
{
	struct cursor cursor = helper_cursor(ctx, &pass->hook, is_xdp);

	clear_packet(pass, &cursor);
	pass->packet.result =
	    parse_frame(&cursor, &pass->packet, &pass->detail.outer, pass->hook.is_ethernet);
	return 0;
}

__noinline int nids_parse_xdp(struct xdp_md *ctx)
{
	struct pass *pass = pass_of_this_cpu();

	if (!pass)
		return 0;
	pass->hook = hook_of_xdp(ctx);
	pass->frame =
	    (struct first_pass_frame){.frame_len = pass->hook.wire_len, .direction = NIDS_INGRESS};
	return parse_whole(ctx, pass, 1);
}

__noinline int nids_parse_skb(struct __sk_buff *skb)
{
	struct pass *pass = pass_of_this_cpu();

	if (!pass)
		return 0;
	pass->hook = hook_of_skb(skb);
	pass->frame = (struct first_pass_frame){.frame_len = pass->hook.buffer_len +
							     hook_tag_bytes(&pass->hook),
						.direction = NIDS_EGRESS};
	return parse_whole(skb, pass, 0);
}

/* All stages behind parse, for the frame that was read by helper. Returns whether it
 * goes up.
 */
__noinline int nids_whole(__u32 segments, __u32 segment_len)
{
	struct nids_counters *counters = counters_of_this_cpu();
	struct pass *pass = pass_of_this_cpu();

	if (!counters || !pass)
		return 0;
	hook_shift_offsets(&pass->hook, &pass->packet, &pass->detail.outer);
	expand_gso(&pass->frame, &pass->packet,
		   (struct gso){.segments = segments, .segment_len = segment_len});
	stats_packet(counters, &pass->packet, &pass->frame);
	if (pass->packet.flags & NIDS_PACKET_IS_FLOW) {
		pass->verdict = account_pass(pass);
	} else {
		pass->verdict = (struct first_pass_verdict){};
		add_sum(&counters->no_flow, pass->frame.wire_packets, pass->frame.wire_len);
	}
	account_findings(pass);
	return pass->verdict.goes_up;
}

struct plain {
	struct nids_counters *counters;
	struct cursor cursor;
	struct hook hook;
	struct first_pass_frame frame;
	struct gso gso;
	struct nids_packet packet;
	int is_done; /* where not, the frame is to be read by helper */
	int goes_up;
};

/* From the network header on, with the EtherType as a constant: what the packet holds
 * then never leaves the registers.
 */
static __always_inline void pass_ip(struct plain *l, const __u16 ether_type)
{
	struct nids_packet *packet = &l->packet;
	struct nids_outer none = {};
	struct first_pass_verdict verdict;
	struct pass *pass;

	packet->ether_type = ether_type;
	if (parse_network(&l->cursor, packet) != NIDS_PARSE_OK)
		return;
	if (nids_features & NIDS_FEATURE_FINDINGS && findings_of(packet))
		return;
	hook_shift_offsets(&l->hook, packet, &none);
	expand_gso(&l->frame, packet, l->gso);
	stats_packet(l->counters, packet, &l->frame);
	verdict = account(l->counters, packet, &l->frame);
	l->is_done = 1;
	if (!verdict.goes_up)
		return;
	pass = pass_of_this_cpu();
	if (!pass)
		return;
	pass->frame = l->frame;
	pass->verdict = verdict;
	pass->hook = l->hook;
	pass->findings = 0;
	l->goes_up = 1;
}

/* All stages over a frame that is read in place. */
static __always_inline void pass_plain(struct plain *l)
{
	hook_give_tag(&l->hook, &l->packet);
	hook_give_link(&l->hook, &l->cursor, &l->packet);
	if (parse_link(&l->cursor, &l->packet, l->hook.is_ethernet) != NIDS_PARSE_OK)
		return;
	if (l->packet.ether_type == ETHER_IPV4)
		pass_ip(l, ETHER_IPV4);
	else if (l->packet.ether_type == ETHER_IPV6)
		pass_ip(l, ETHER_IPV6);
}

/* The few packets that go up are parsed again, to memory. */
static __always_inline int parse_again(struct pass *pass, const void *data, const void *end)
{
	struct cursor cursor;

	if (!pass)
		return 0;
	cursor = plain_cursor(data, end, &pass->hook);
	clear_packet(pass, &cursor);
	pass->packet.result =
	    parse_frame(&cursor, &pass->packet, &pass->detail.outer, pass->hook.is_ethernet);
	hook_shift_offsets(&pass->hook, &pass->packet, &pass->detail.outer);
	return 0;
}

__noinline int nids_again_xdp(struct xdp_md *ctx)
{
	return parse_again(pass_of_this_cpu(), (void *)(long)ctx->data + pass_lead(),
			   (void *)(long)ctx->data_end);
}

__noinline int nids_again_skb(struct __sk_buff *skb)
{
	return parse_again(pass_of_this_cpu(), (void *)(long)skb->data,
			   (void *)(long)skb->data_end);
}

struct {
	__uint(priority, 10); /* before programs that drop: an IDS wants to see it all */
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(nids_ingress);

SEC("xdp.frags")
int nids_ingress(struct xdp_md *ctx)
{
	struct plain l = {.counters = counters_of_this_cpu()};

	if (!l.counters)
		return XDP_PASS;
	l.hook = hook_of_xdp(ctx);
	l.frame.frame_len = l.hook.wire_len;
	l.frame.direction = NIDS_INGRESS;
	l.cursor = plain_cursor((void *)(long)ctx->data + pass_lead(), (void *)(long)ctx->data_end,
				&l.hook);
	stats_start(l.counters);
	pass_plain(&l);
	if (!l.is_done) {
		nids_parse_xdp(ctx);
		l.goes_up = nids_whole(0, 0);
	} else if (l.goes_up) {
		nids_again_xdp(ctx);
	}
	if (l.goes_up)
		nids_send_xdp(ctx);
	stats_finish(l.counters);
	return XDP_PASS;
}

SEC("tc")
int nids_egress(struct __sk_buff *skb)
{
	struct plain l = {.counters = counters_of_this_cpu(), .hook = hook_of_skb(skb)};

	if (!l.counters)
		return TC_ACT_UNSPEC;
	l.frame.frame_len = l.hook.wire_len + hook_tag_bytes(&l.hook);
	l.frame.direction = NIDS_EGRESS;
	l.gso = gso_of_skb(skb);
	l.cursor = plain_cursor((void *)(long)skb->data, (void *)(long)skb->data_end, &l.hook);
	stats_start(l.counters);
	pass_plain(&l);
	if (!l.is_done) {
		nids_parse_skb(skb);
		l.goes_up = nids_whole(l.gso.segments, l.gso.segment_len);
	} else if (l.goes_up) {
		nids_again_skb(skb);
	}
	if (l.goes_up)
		nids_send_skb(skb);
	stats_finish(l.counters);
	return TC_ACT_UNSPEC; /* later filters still run */
}

char _license[] SEC("license") = "Dual BSD/GPL";
