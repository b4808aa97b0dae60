/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The same stages over a frame that is read by helper: what is out of the ordinary. The
 * packet is in the pass, and so, before parse, are the hook and the direction.
 */
#ifndef NIDS_WHOLE_H
#define NIDS_WHOLE_H

#include "account.h"
#include "parse/detail.h"
#include "plain.h"

/* Returns whether the packet carries another that it is about: nids_embedded_*. */
static __always_inline int parse_whole(void *ctx, struct pass *pass, const int is_xdp)
{
	struct cursor cursor = helper_cursor(ctx, &pass->hook, is_xdp);

	parse_hooked(&cursor, &pass->hook, &pass->packet, &pass->detail.outer);
	pass->is_plain = 0;
	pass->frame = (struct first_pass_frame){
	    .frame_len = pass->hook.wire_len + hook_tag_bytes(&pass->hook),
	    .direction = pass->frame.direction,
	};
	expand_gso(&pass->frame, &pass->packet, is_xdp ? (struct gso){} : gso_of_skb(ctx));
	return pass->packet.flags & NIDS_PACKET_IS_ICMP_ERROR;
}

/* Writes key and hash of the packet's flow into the pass. */
static __always_inline enum outcome find_key(struct pass *pass, const struct nids_packet *p)
{
	enum outcome outcome;
	struct flow_packet f;

	if (has_extended_key(p)) {
		f = flow_packet_of(p, &pass->frame,
				   extended_key(p, &pass->detail.outer, &pass->key6));
		f.hash = extended_hash(&pass->key6, nids_hash_keys);
		outcome = PASS_FLOW_EXTENDED;
	} else if (p->ip_version == 4) {
		f = flow_packet_of(p, &pass->frame, flow4_key(p, &pass->key4));
		f.hash = flow4_hash(&pass->key4, nids_hash_keys);
		outcome = PASS_FLOW4;
	} else {
		f = flow_packet_of(p, &pass->frame, flow6_key(p, &pass->key6.inner));
		f.hash = flow6_hash(&pass->key6.inner, nids_hash_keys);
		outcome = PASS_FLOW6;
	}
	pass->flow = f;
	return outcome;
}

/* Whether some CPU knows the flow in the pass. */
static __always_inline int is_known_flow(const struct pass *pass)
{
	const struct nids_flow_cell *cell = cell_of(pass->flow.hash);

	return cell && cell_is_of(cell, pass->flow.hash);
}

/* The same for the packet of the pass: mostly its own, but see flow/related.h. */
static __always_inline enum outcome find_flow(struct pass *pass)
{
	struct nids_packet *p = &pass->packet;
	struct nids_packet answer;
	enum outcome outcome;

	if (answer_to_embedded(p, &pass->detail.embedded, &answer)) {
		outcome = find_key(pass, &answer);
		if (is_known_flow(pass)) {
			p->flags |= NIDS_PACKET_IS_RELATED;
			return outcome;
		}
	}
	return find_key(pass, p);
}

/* All fragments of a datagram belong to one flow. */
static __always_inline void relate_fragment(struct nids_counters *counters, struct pass *pass)
{
	struct nids_packet *p = &pass->packet;
	__u64 hash = datagram_hash(p, &pass->detail.outer, nids_hash_keys);
	__u32 index = datagram_index(hash), now_s = pass_now_ticks() / nids_second_ticks;
	__u64 *datagram = bpf_map_lookup_elem(&nids_datagrams, &index);

	if (!datagram)
		return;
	if (p->result == NIDS_PARSE_LATER_FRAGMENT)
		recall_datagram(datagram, hash, p, now_s);
	else
		counters->fragments_replaced += remember_datagram(datagram, hash, p, now_s);
}

static __always_inline int is_first_fragment(const struct nids_packet *p)
{
	const __u8 both = NIDS_PACKET_FIRST_FRAGMENT | NIDS_PACKET_IS_FLOW;

	return (p->flags & both) == both;
}

/* Behind parse, up to its flow, if it has one. */
static __always_inline enum outcome pass_whole(struct pass *pass)
{
	struct nids_counters *counters = counters_of_this_cpu();

	if (!counters)
		return PASS_DONE;
	stats_packet(counters, &pass->packet, &pass->frame);
	if (pass->packet.result != NIDS_PARSE_OK) /* headers behind those that could be read */
		counters->gso_headers_unknown += pass->frame.wire_packets - 1;
	if (pass->packet.result == NIDS_PARSE_LATER_FRAGMENT || is_first_fragment(&pass->packet))
		relate_fragment(counters, pass);
	if (pass->packet.flags & NIDS_PACKET_IS_FLOW)
		return find_flow(pass);
	pass->verdict = (struct first_pass_verdict){.from_opener = 1}; /* who else */
	add_sum(&counters->no_flow, pass->frame.wire_packets, pass->frame.wire_len);
	return PASS_DONE;
}

/* Returns whether the packet is a sample. A separate function, because the verifier would otherwise
 * follow each set of findings through the loop.
 */
__noinline int nids_count_findings(__u32 findings, __u32 wire_packets, __u32 wire_len,
				   __u32 is_wanted, __u32 sender)
{
	__u32 cpu = pass_cpu(), zero = 0;
	struct finding_tables tables = {.counters = counters_of(cpu),
					.budgets = bpf_map_lookup_elem(&nids_budgets, &cpu),
					.buckets = bpf_map_lookup_elem(&nids_samples, &zero),
					.now_ticks = pass_now_ticks(),
					.second_ticks = nids_second_ticks,
					.window_ticks = nids_sample_window_ticks};

	if (!tables.counters || !tables.budgets || !tables.buckets)
		return 0;
	return judge_findings(&tables, findings, wire_packets, wire_len, is_wanted, sender);
}

/* classify, of the packet alone; behind what is wanted of its flow. */
static __always_inline enum outcome judge_whole(struct pass *pass)
{
	struct first_pass_verdict *v = &pass->verdict;

	pass->findings = nids_features & NIDS_FEATURE_FINDINGS ? findings_of(&pass->packet) : 0;
	if (pass->findings &&
	    nids_count_findings(pass->findings, pass->frame.wire_packets, pass->frame.wire_len,
				!v->goes_up && !v->is_bypassed,
				sender_hash(&pass->packet, nids_hash_keys))) {
		v->goes_up = 1;
		v->reason = NIDS_REASON_FINDING;
	}
	return v->goes_up ? PASS_UP : PASS_DONE;
}

#endif
