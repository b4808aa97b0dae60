// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The first pass: a packet's way through the kernel, in order. Every frame is
 * passed on, whatever it holds.
 */
#include "clock.h"
#include "hook.h"
#include "maps.h"
#include "ring/packet.h"
#include "ring/ring.h"

#include <linux/pkt_cls.h>
#include <xdp/xdp_helpers.h>

/* One packet on its way. The stages behind parse are global functions, which the
 * verifier checks once each: inlined, every way through parse would multiply
 * every way through them, past its limit of a million instructions.
 */
struct pass {
	struct nids_packet packet;
	struct first_pass_frame frame;
	struct first_pass_verdict verdict;
	struct hook hook;
};

/* classify and flow. Returns the class to send the packet up for, or 0. */
__noinline int nids_account(struct pass *pass)
{
	__u32 zero = 0, cpu = pass_cpu();
	struct nids_counters *counters = bpf_map_lookup_elem(&nids_counters, &cpu);
	struct nids_flow_key key = {};

	if (!pass || !counters)
		return 0;

	enum nids_sender sender = flow_key(&pass->packet, &key);
	__u64 hash = flow_hash(&key, nids_hash_seed);
	__u32 set = cpu * nids_sets_per_cpu + (hash >> 32 & (nids_sets_per_cpu - 1));
	struct first_pass_tables tables = {
	    .counters = counters,
	    .set = bpf_map_lookup_elem(&nids_flows, &set),
	    .ports = bpf_map_lookup_elem(&nids_ports, &zero),
	    .openers = bpf_map_lookup_elem(&nids_openers, &zero),
	    .classes = bpf_map_lookup_elem(&nids_classes, &zero),
	    .now_ns = pass_now_ns(),
	    .host = counters,
	};
	if (!tables.set || !tables.ports || !tables.openers || !tables.classes)
		return 0;
	pass->verdict = account_flow(&tables, &pass->packet, &key, hash, sender, &pass->frame);
	return pass->verdict.class_id;
}

/* ring, once for each type of context. */
__noinline int nids_send_xdp(struct xdp_md *ctx, struct pass *pass)
{
	if (!pass)
		return 0;
	return ring_packet(&(struct ring_packet){.ctx = ctx,
						 .is_xdp = 1,
						 .hook = &pass->hook,
						 .packet = &pass->packet,
						 .frame = &pass->frame,
						 .verdict = pass->verdict});
}

__noinline int nids_send_skb(struct __sk_buff *ctx, struct pass *pass)
{
	if (!pass)
		return 0;
	return ring_packet(&(struct ring_packet){.ctx = ctx,
						 .hook = &pass->hook,
						 .packet = &pass->packet,
						 .frame = &pass->frame,
						 .verdict = pass->verdict});
}

/* parse, and the counters of what it found. Returns whether there is a flow. */
static __always_inline int first_pass(struct pass *pass, struct nids_counters *counters,
				      const void *data, const void *end, struct gso gso)
{
	struct cursor cursor = {.pos = data, .end = end, .wire_len = pass->hook.buffer_len};

	hook_give_tag(&pass->hook, &pass->packet);
	pass->packet.result = pass_parse(&cursor, &pass->packet);
	pass->frame.frame_len = cursor.wire_len + hook_tag_bytes(&pass->hook);
	hook_shift_offsets(&pass->hook, &pass->packet);
	expand_gso(&pass->frame, &pass->packet, gso);
	stats_packet(counters, &pass->packet, &pass->frame);
	if (pass->packet.flags & NIDS_PACKET_IS_FLOW)
		return 1;
	add_sum(&counters->no_flow, pass->frame.wire_packets, pass->frame.wire_len);
	return 0;
}

/* Never null: there is a block for each possible CPU. The way that is never taken
 * names the maps that no other instruction does, so that the program holds them
 * and whoever finds the program finds them.
 */
static __always_inline struct nids_counters *counters_of_this_cpu(void)
{
	__u32 zero = 0, cpu = pass_cpu();
	struct nids_counters *counters = bpf_map_lookup_elem(&nids_counters, &cpu);

	if (!counters) {
		bpf_map_lookup_elem(&nids_info, &zero);
		bpf_map_lookup_elem(&nids_agent, &zero);
	}
	return counters;
}

struct {
	__uint(priority, 10); /* before programs that drop: an IDS wants to see it all */
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(nids_ingress);

SEC("xdp.frags")
int nids_ingress(struct xdp_md *ctx)
{
	struct nids_counters *counters = counters_of_this_cpu();
	struct pass pass = {.hook.buffer_len = bpf_xdp_get_buff_len(ctx),
			    .frame.direction = NIDS_INGRESS};

	if (!counters)
		return XDP_PASS;
	stats_start(counters);
	if (first_pass(&pass, counters, (void *)(long)ctx->data, (void *)(long)ctx->data_end,
		       (struct gso){}) &&
	    nids_account(&pass))
		nids_send_xdp(ctx, &pass);
	stats_finish(counters);
	return XDP_PASS;
}

/* What the usual chain of headers takes; a socket buffer often has less in its
 * linear part.
 */
#define HEADERS_USUAL 256

SEC("tc")
int nids_egress(struct __sk_buff *skb)
{
	struct nids_counters *counters = counters_of_this_cpu();
	struct pass pass = {.hook.buffer_len = skb->len, .frame.direction = NIDS_EGRESS};
	__u32 linear = skb->data_end - skb->data;

	if (!counters)
		return TC_ACT_UNSPEC;
	if (linear < HEADERS_USUAL && linear < skb->len)
		bpf_skb_pull_data(skb, skb->len < HEADERS_USUAL ? skb->len : HEADERS_USUAL);
	if (skb->vlan_present) {
		pass.hook.tag_type = be16(skb->vlan_proto);
		pass.hook.tag_tci = skb->vlan_tci;
	}
	stats_start(counters);
	if (first_pass(&pass, counters, (void *)(long)skb->data, (void *)(long)skb->data_end,
		       (struct gso){.segments = skb->gso_segs, .segment_len = skb->gso_size}) &&
	    nids_account(&pass))
		nids_send_skb(skb, &pass);
	stats_finish(counters);
	return TC_ACT_UNSPEC; /* later filters still run */
}

char _license[] SEC("license") = "Dual BSD/GPL";
