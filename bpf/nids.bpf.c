// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The first pass: a packet's way through the kernel, in order. Every frame is
 * passed on, whatever it holds.
 *
 * Nearly all traffic is read in place and accounted in the entry points. What is out
 * of the ordinary takes the same stages with another reading (parse/cursor.h), in
 * functions of their own: the verifier checks each global function once, where
 * inlined every way through one would multiply every way through the next.
 */
#include "maps.h"
#include "read.h"

#include "plain.h"
#include "send.h"
#include "whole.h"

#include <linux/pkt_cls.h>
#include <xdp/xdp_helpers.h>

__noinline int nids_tagged_xdp(struct xdp_md *ctx)
{
	struct nids_counters *counters = counters_of_this_cpu();

	return counters ? plain_xdp(ctx, counters, 1) : PASS_DONE;
}

__noinline int nids_parse_xdp(struct xdp_md *ctx)
{
	return parse_whole(ctx, pass_of_this_cpu(), 1);
}

__noinline int nids_parse_skb(struct __sk_buff *skb)
{
	return parse_whole(skb, pass_of_this_cpu(), 0);
}

__noinline int nids_whole_xdp(struct xdp_md *ctx)
{
	struct pass *pass = pass_of_this_cpu();

	if (!pass)
		return PASS_DONE;
	pass->hook = hook_of_xdp(ctx);
	nids_parse_xdp(ctx);
	pass->frame = frame_of(&pass->hook, (struct gso){}, &pass->packet, NIDS_INGRESS);
	return pass_whole(pass);
}

__noinline int nids_whole_skb(struct __sk_buff *skb)
{
	struct pass *pass = pass_of_this_cpu();

	if (!pass)
		return PASS_DONE;
	pass->hook = hook_of_skb(skb);
	nids_parse_skb(skb);
	pass->frame = frame_of(&pass->hook, gso_of_skb(skb), &pass->packet, NIDS_EGRESS);
	return pass_whole(pass);
}

__noinline int nids_again_xdp(struct xdp_md *ctx)
{
	struct pass *pass = pass_of_this_cpu();

	if (!pass)
		return 0;
	pass->hook = hook_of_xdp(ctx);
	return parse_again(pass, (void *)(long)ctx->data + pass_lead(), (void *)(long)ctx->data_end,
			   (struct gso){}, NIDS_INGRESS);
}

__noinline int nids_again_skb(struct __sk_buff *skb)
{
	struct pass *pass = pass_of_this_cpu();

	if (!pass)
		return 0;
	pass->hook = hook_of_skb(skb);
	return parse_again(pass, (void *)(long)skb->data, (void *)(long)skb->data_end,
			   gso_of_skb(skb), NIDS_EGRESS);
}

struct {
	__uint(priority, 10); /* before programs that drop: an IDS wants to see it all */
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(nids_ingress);

SEC("xdp.frags")
int nids_ingress(struct xdp_md *ctx)
{
	struct nids_counters *counters = counters_of_this_cpu();
	int outcome;

	if (!counters)
		return XDP_PASS;
	stats_start(counters);
	outcome = plain_xdp(ctx, counters, 0);
	if (outcome == PASS_TAGGED)
		outcome = nids_tagged_xdp(ctx);
	if (outcome == PASS_UP)
		nids_again_xdp(ctx);
	else if (outcome == PASS_WHOLE)
		outcome = nids_whole_xdp(ctx);
	if (outcome == PASS_UP)
		nids_send_xdp(ctx);
	stats_finish(counters);
	return XDP_PASS;
}

SEC("tc")
int nids_egress(struct __sk_buff *skb)
{
	struct nids_counters *counters = counters_of_this_cpu();
	int outcome;

	if (!counters)
		return TC_ACT_UNSPEC;
	stats_start(counters);
	outcome = plain_skb(skb, counters);
	if (outcome == PASS_UP)
		nids_again_skb(skb);
	else if (outcome != PASS_DONE) /* here a tag in the frame is a second one */
		outcome = nids_whole_skb(skb);
	if (outcome == PASS_UP)
		nids_send_skb(skb);
	stats_finish(counters);
	return TC_ACT_UNSPEC; /* later filters still run */
}

char _license[] SEC("license") = "Dual BSD/GPL";
