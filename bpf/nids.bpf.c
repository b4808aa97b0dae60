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

__noinline int nids_rare_xdp(struct xdp_md *ctx)
{
	__u32 cpu = pass_cpu();
	struct nids_counters *counters = counters_of(cpu);

	return counters ? plain_xdp(ctx, counters, cpu, 1, nids_packet_time) : PASS_DONE;
}

__noinline int nids_rare_skb(struct __sk_buff *skb, __u32 direction)
{
	__u32 cpu = pass_cpu();
	struct nids_counters *counters = counters_of(cpu);

	return counters ? plain_skb(skb, counters, cpu, 1, direction) : PASS_DONE;
}

/* Parse and what follows it are called one after the other: no function calls another
 * that is as big, since the stacks of a chain are 512 bytes together, each rounded
 * up to 32.
 */
__noinline int nids_parse_xdp(struct xdp_md *ctx)
{
	struct pass *pass = pass_of_this_cpu();

	if (!pass)
		return 0;
	pass->hook = hook_of_xdp(exact_xdp_len(ctx), nids_packet_time);
	pass->frame.direction = NIDS_INGRESS;
	return parse_whole(ctx, pass, 1);
}

__noinline int nids_parse_skb(struct __sk_buff *skb, __u32 direction)
{
	struct pass *pass = pass_of_this_cpu();

	if (!pass)
		return 0;
	pass->hook = hook_of_skb(skb);
	pass->frame.direction = direction;
	return parse_whole(skb, pass, 0);
}

/* Of an ICMP error, before it is asked which flow it belongs to. */
__noinline int nids_embedded_xdp(struct xdp_md *ctx)
{
	struct pass *pass = pass_of_this_cpu();

	if (pass)
		read_detail(ctx, pass, 1);
	return 0;
}

__noinline int nids_embedded_skb(struct __sk_buff *skb)
{
	struct pass *pass = pass_of_this_cpu();

	if (pass)
		read_detail(skb, pass, 0);
	return 0;
}

__noinline int nids_whole(void)
{
	struct pass *pass = pass_of_this_cpu();

	return pass ? pass_whole(pass) : PASS_DONE;
}

__noinline int nids_judge(void)
{
	struct pass *pass = pass_of_this_cpu();

	return pass ? judge_whole(pass) : PASS_DONE;
}

/* The same for both hooks. Findings of a packet read in place were none. */
static __always_inline int account(int outcome, int is_whole)
{
	if (outcome == PASS_FLOW4)
		outcome = nids_account4();
	if (outcome == PASS_FLOW6)
		outcome = nids_account6();
	if (outcome == PASS_FLOW_EXTENDED)
		outcome = nids_account_extended();
	return is_whole ? nids_judge() : outcome;
}

struct {
	__uint(priority, 10); /* before programs that drop: an IDS wants to see it all */
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(nids_ingress);

static __always_inline int first_pass_xdp(struct xdp_md *ctx, const int in_packet_time)
{
	__u32 cpu = in_packet_time ? 0 : bpf_get_smp_processor_id();
	struct nids_counters *counters = counters_of(cpu);
	int outcome, is_whole;

	if (!counters)
		return XDP_PASS;
	stats_start(counters);
	outcome = plain_xdp(ctx, counters, cpu, 0, in_packet_time);
	if (outcome == PASS_DONE)
		goto done;
	if (outcome == PASS_RARE)
		outcome = nids_rare_xdp(ctx);
	is_whole = outcome == PASS_WHOLE;
	if (is_whole) {
		if (nids_parse_xdp(ctx))
			nids_embedded_xdp(ctx);
		outcome = nids_whole();
	}
	outcome = account(outcome, is_whole);
	if (outcome == PASS_UP)
		nids_send_xdp(ctx);
done:
	stats_finish(counters);
	return XDP_PASS;
}

SEC("xdp.frags")
int nids_ingress(struct xdp_md *ctx)
{
	return first_pass_xdp(ctx, 0);
}

/* The same for a replay's frames, on no interface: with nids_packet_time only. */
SEC("xdp.frags")
int nids_replay(struct xdp_md *ctx)
{
	return first_pass_xdp(ctx, 1);
}

/* `direction` is a constant. */
static __always_inline int first_pass_skb(struct __sk_buff *skb, const __u32 direction)
{
	__u32 cpu = pass_cpu();
	struct nids_counters *counters = counters_of(cpu);
	int outcome, is_whole;

	if (!counters)
		return TC_ACT_UNSPEC;
	stats_start(counters);
	outcome = plain_skb(skb, counters, cpu, 0, direction);
	if (outcome == PASS_DONE)
		goto done;
	if (outcome == PASS_RARE)
		outcome = nids_rare_skb(skb, direction);
	is_whole = outcome == PASS_WHOLE;
	if (is_whole) {
		if (nids_parse_skb(skb, direction))
			nids_embedded_skb(skb);
		outcome = nids_whole();
	}
	outcome = account(outcome, is_whole);
	if (outcome == PASS_UP)
		nids_send_skb(skb);
done:
	stats_finish(counters);
	return TC_ACT_UNSPEC; /* later filters still run */
}

SEC("tc")
int nids_egress(struct __sk_buff *skb)
{
	return first_pass_skb(skb, NIDS_EGRESS);
}

/* In place of nids_ingress, where XDP would cost a link its offloads. */
SEC("tc")
int nids_ingress_tc(struct __sk_buff *skb)
{
	return first_pass_skb(skb, NIDS_INGRESS);
}

char _license[] SEC("license") = "Dual BSD/GPL";
