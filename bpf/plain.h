/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All stages over a frame that is read in place: nearly all traffic. What the packet
 * holds never leaves the registers, which is what the speed of the first pass
 * comes from.
 *
 * Every return from a function costs some 10 ns on CPUs that are guarded against return
 * speculation: so no helper is called and no function. And every instruction counts, some 250 of
 * them.
 */
#ifndef NIDS_PLAIN_H
#define NIDS_PLAIN_H

#include "account.h"
#include "read.h"

struct plain {
	const void *ctx;
	int is_xdp; /* a constant where it is set */
	struct nids_counters *counters;
	__u32 cpu;
	__u32 now_ticks;
	struct cursor cursor;
	struct hook hook;
	struct nids_packet packet;
	struct first_pass_frame frame;
};

/* For the stages behind, what they can't see in registers. */
static __always_inline struct pass *keep_in_pass(const struct plain *l, const struct flow_packet *f)
{
	struct pass *pass = pass_of_this_cpu();

	if (!pass)
		return 0;
	pass->hook = l->hook;
	pass->frame = l->frame;
	pass->flow = *f;
	pass->flow.key = 0;
	pass->is_plain = 1;
	return pass;
}

/* What nearly every packet needs, here; the rest in functions of their own. */
static __always_inline enum outcome pass_flow(struct plain *l, struct flow_packet *f, void *set)
{
	__u32 table;
	struct first_pass_tables tables = {.counters = l->counters,
					   .set = set,
					   .now_ticks = l->now_ticks,
					   .idle_ticks = &nids_idle_ticks};
	struct nids_flow_state *state = set ? known_slot(&tables, f) : 0;
	struct first_pass_verdict verdict;
	struct pass *pass;
	__u64 bytes_before;

	if (!state) {
		fetch_cells(f->hash);
		return f->words == FLOW4_WORDS ? PASS_FLOW4 : PASS_FLOW6;
	}
	if (is_counted_only(state)) {
		count_in_flow(&tables, f, state);
		return PASS_DONE;
	}
	if (state->other_class)
		return f->words == FLOW4_WORDS ? PASS_FLOW4 : PASS_FLOW6;
	bytes_before = count_in_flow(&tables, f, state);
	tables.features = nids_features;
	table = nids_class_table;
	tables.classes = bpf_map_lookup_elem(&nids_classes, &table);
	if (!tables.classes)
		return PASS_DONE;
	verdict = judge_in_slot(&tables, f, state, bytes_before, 0, 0, 1);
	if (!verdict.goes_up)
		return PASS_DONE;
	pass = keep_in_pass(l, f);
	if (!pass)
		return PASS_DONE;
	pass->verdict = verdict;
	return PASS_UP;
}

static __always_inline enum outcome pass_ipv4_flow(struct plain *l)
{
	struct nids_flow4_key key;
	struct flow_packet f = flow_packet_of(&l->packet, &l->frame, flow4_key(&l->packet, &key));
	enum outcome outcome;
	struct pass *pass;

	f.key = (const flow_word *)&key;
	f.words = FLOW4_WORDS;
	f.hash = flow4_hash(&key, nids_hash_keys);
	outcome = pass_flow(l, &f, set4_of(f.hash, l->cpu));
	if (outcome != PASS_FLOW4)
		return outcome;
	pass = keep_in_pass(l, &f);
	if (!pass)
		return PASS_DONE;
	pass->key4 = key;
	return PASS_FLOW4;
}

static __always_inline enum outcome pass_ipv6_flow(struct plain *l)
{
	struct nids_flow6_key key;
	struct flow_packet f = flow_packet_of(&l->packet, &l->frame, flow6_key(&l->packet, &key));
	enum outcome outcome;
	struct pass *pass;

	f.key = (const flow_word *)&key;
	f.words = FLOW6_WORDS;
	f.hash = flow6_hash(&key, nids_hash_keys);
	outcome = pass_flow(l, &f, set6_of(f.hash, l->cpu));
	if (outcome != PASS_FLOW6)
		return outcome;
	pass = keep_in_pass(l, &f);
	if (!pass)
		return PASS_DONE;
	pass->key6.inner = key;
	return PASS_FLOW6;
}

/* The protocol is a constant where it is TCP or UDP: each has code of its own, in which
 * nothing is asked that the protocol has answered.
 */
static __always_inline enum outcome pass_transport(struct plain *l, const __u8 l4_proto,
						   __u32 l4_len)
{
	l->packet.l4_proto = l4_proto;
	if (parse_transport(&l->cursor, &l->packet, l4_len) != NIDS_PARSE_OK)
		return PASS_WHOLE;
	if (may_have_findings(&l->packet) && nids_features & NIDS_FEATURE_FINDINGS &&
	    findings_of(&l->packet))
		return PASS_WHOLE;
	expand_gso(&l->frame, &l->packet, l->is_xdp ? (struct gso){} : gso_of_skb(l->ctx));
	/* Offsets do without a tag beside the frame, which each segment has too. */
	l->frame.wire_len += (l->frame.wire_packets - 1) * hook_tag_bytes(&l->hook);
	stats_packet(l->counters, &l->packet, &l->frame);
	return l->packet.ip_version == 4 ? pass_ipv4_flow(l) : pass_ipv6_flow(l);
}

/* From the network header on; the EtherType is a constant. */
static __always_inline enum outcome pass_ip(struct plain *l, const __u16 ether_type,
					    const int is_rare)
{
	__u32 l4_len = 0;

	l->packet.ether_type = ether_type;
	if (parse_internet(&l->cursor, &l->packet, &l4_len) != NIDS_PARSE_OK)
		return PASS_WHOLE;
	if (is_rare)
		return pass_transport(l, l->packet.l4_proto, l4_len);
	if (l->packet.l4_proto == PROTO_TCP)
		return pass_transport(l, PROTO_TCP, l4_len);
	if (l->packet.l4_proto == PROTO_UDP)
		return pass_transport(l, PROTO_UDP, l4_len);
	return PASS_RARE;
}

/* `is_rare` is a constant: without tags all offsets are, which makes less code. */
static __always_inline enum outcome pass_plain(struct plain *l, const int is_rare)
{
	if (parse_ethernet(&l->cursor, &l->packet) != NIDS_PARSE_OK)
		return PASS_WHOLE;
	if (is_rare && (parse_plain_vlans(&l->cursor, &l->packet) != NIDS_PARSE_OK ||
			has_extended_key(&l->packet)))
		return PASS_WHOLE;
	if (l->packet.ether_type == ETHER_IPV4)
		return pass_ip(l, ETHER_IPV4, is_rare);
	if (l->packet.ether_type == ETHER_IPV6)
		return pass_ip(l, ETHER_IPV6, is_rare);
	return is_rare ? PASS_WHOLE : PASS_RARE;
}

static __always_inline enum outcome plain_xdp(struct xdp_md *ctx, struct nids_counters *counters,
					      __u32 cpu, const int is_rare,
					      const int in_packet_time)
{
	const __u32 lead = in_packet_time ? NIDS_CLOCK_LEAD : 0;
	/* A packet that is longer than its buffer is not read in place: its IP length says so. */
	__u32 len = in_packet_time ? bpf_xdp_get_buff_len(ctx) : likely_xdp_len(ctx);
	struct hook hook = hook_of_xdp(len, in_packet_time);
	struct plain l = {
	    .is_xdp = 1,
	    .counters = counters,
	    .cpu = cpu,
	    .now_ticks = in_packet_time ? pass_now_ticks() : bpf_jiffies64(),
	    .hook = hook,
	    .cursor =
		plain_cursor((void *)(long)ctx->data + lead, (void *)(long)ctx->data_end, &hook),
	    .frame = {.frame_len = hook.wire_len, .direction = NIDS_INGRESS},
	};

	return hook.is_ethernet ? pass_plain(&l, is_rare) : PASS_WHOLE;
}

static __always_inline enum outcome plain_skb(struct __sk_buff *skb, struct nids_counters *counters,
					      __u32 cpu, const int is_rare, __u32 direction)
{
	struct hook hook = hook_of_skb(skb);
	struct plain l = {
	    .ctx = skb,
	    .counters = counters,
	    .cpu = cpu,
	    .now_ticks = bpf_jiffies64(),
	    .hook = hook,
	    .cursor = plain_cursor((void *)(long)skb->data, (void *)(long)skb->data_end, &hook),
	    .frame = {.frame_len = hook.wire_len + hook_tag_bytes(&hook), .direction = direction},
	};

	hook_give_tag(&hook, &l.cursor, &l.packet);
	return pass_plain(&l, is_rare);
}

#endif
