/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The same stages over a frame that is read by helper: what is out of the ordinary. The
 * packet is in the pass.
 */
#ifndef NIDS_WHOLE_H
#define NIDS_WHOLE_H

#include "account.h"
#include "plain.h"

static __always_inline int parse_whole(void *ctx, struct pass *pass, const int is_xdp)
{
	struct cursor cursor = helper_cursor(ctx, &pass->hook, is_xdp);

	parse_hooked(&cursor, &pass->hook, &pass->packet, &pass->detail.outer);
	pass->is_plain = 0;
	pass->frame = (struct first_pass_frame){
	    .frame_len = pass->hook.wire_len + hook_tag_bytes(&pass->hook),
	    .direction = is_xdp ? NIDS_INGRESS : NIDS_EGRESS,
	};
	expand_gso(&pass->frame, &pass->packet, is_xdp ? (struct gso){} : gso_of_skb(ctx));
	return 0;
}

/* Key and hash of the packet of the pass. */
static __always_inline enum outcome find_key(struct pass *pass)
{
	const struct nids_packet *p = &pass->packet;
	struct flow_packet f;

	if (p->ip_version == 4) {
		f = flow_packet_of(p, &pass->frame, flow4_key(p, &pass->key4));
		f.hash = flow4_hash(&pass->key4, nids_hash_keys);
	} else {
		f = flow_packet_of(p, &pass->frame, flow6_key(p, &pass->key6));
		f.hash = flow6_hash(&pass->key6, nids_hash_keys);
	}
	pass->flow = f;
	return p->ip_version == 4 ? PASS_FLOW4 : PASS_FLOW6;
}

/* Behind parse, up to its flow, if it has one. */
static __always_inline enum outcome pass_whole(struct pass *pass)
{
	struct nids_counters *counters = counters_of_this_cpu();

	if (!counters)
		return PASS_DONE;
	stats_packet(counters, &pass->packet, &pass->frame);
	if (pass->packet.flags & NIDS_PACKET_IS_FLOW)
		return find_key(pass);
	pass->verdict = (struct first_pass_verdict){.from_opener = 1}; /* who else */
	add_sum(&counters->no_flow, pass->frame.wire_packets, pass->frame.wire_len);
	return PASS_DONE;
}

/* Returns whether the packet is a sample to send up. A function of its own: the verifier would
 * follow each set of findings through the loop.
 */
__noinline int nids_count_findings(__u32 findings, __u32 wire_packets, __u32 wire_len,
				   __u32 is_wanted)
{
	__u32 cpu = pass_cpu();
	struct finding_tables tables = {.counters = counters_of(cpu),
					.budgets = bpf_map_lookup_elem(&nids_budgets, &cpu),
					.now_ticks = pass_now_ticks(),
					.second_ticks = nids_second_ticks};

	if (!tables.counters || !tables.budgets)
		return 0;
	return judge_findings(&tables, findings, wire_packets, wire_len, is_wanted);
}

/* classify, of the packet alone; behind what is wanted of its flow. */
static __always_inline enum outcome judge_whole(struct pass *pass)
{
	struct first_pass_verdict *v = &pass->verdict;

	pass->findings = nids_features & NIDS_FEATURE_FINDINGS ? findings_of(&pass->packet) : 0;
	if (pass->findings &&
	    nids_count_findings(pass->findings, pass->frame.wire_packets, pass->frame.wire_len,
				!v->goes_up && !v->is_bypassed)) {
		v->goes_up = 1;
		v->reason = NIDS_REASON_FINDING;
	}
	return v->goes_up ? PASS_UP : PASS_DONE;
}

#endif
