/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* classify and flow with the program's own maps: once for each version of IP. */
#ifndef NIDS_ACCOUNT_H
#define NIDS_ACCOUNT_H

#include "pass.h"

/* There is a block for each possible CPU. The way that is never taken names the maps
 * that no other instruction does, so that the program holds them and whoever
 * finds the program finds them.
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

static __always_inline __u32 set_of(__u64 hash, __u32 sets_per_cpu)
{
	return pass_cpu() * sets_per_cpu + (hash >> 32 & (sets_per_cpu - 1));
}

static __always_inline __u64 account_in_set(void *set, __u32 *set_index,
					    const struct flow_packet *f)
{
	__u32 zero = 0;
	struct nids_counters *counters = counters_of_this_cpu();
	struct first_pass_tables tables = {
	    .counters = counters,
	    .set = set,
	    .ports = bpf_map_lookup_elem(&nids_ports, &zero),
	    .classes = bpf_map_lookup_elem(&nids_classes, &zero),
	    .features = nids_features,
	    .now_ticks = pass_now_ticks(),
	    .idle_ticks = nids_idle_ticks,
	    .host = set_index,
	};
	struct first_pass_verdict verdict;

	if (!counters || !set || !tables.ports || !tables.classes)
		return 0;
	verdict = account_flow(&tables, f);
	return pack_verdict(&verdict);
}

/* The key is in the pass. */
__noinline __u64 nids_account4(__u64 packed)
{
	struct flow_packet f = unpack_flow_packet(packed);
	struct pass *pass = pass_of_this_cpu();
	__u32 index;

	if (!pass)
		return 0;
	f.words = FLOW4_WORDS;
	f.key = (const flow_word *)&pass->key4;
	f.hash = flow4_hash(&pass->key4, nids_hash_keys);
	index = set_of(f.hash, nids_sets4_per_cpu);
	return account_in_set(bpf_map_lookup_elem(&nids_flows4, &index), &index, &f);
}

__noinline __u64 nids_account6(__u64 packed)
{
	struct flow_packet f = unpack_flow_packet(packed);
	struct pass *pass = pass_of_this_cpu();
	__u32 index;

	if (!pass)
		return 0;
	f.words = FLOW6_WORDS;
	f.key = (const flow_word *)&pass->key6;
	f.hash = flow6_hash(&pass->key6, nids_hash_keys);
	index = set_of(f.hash, nids_sets6_per_cpu);
	return account_in_set(bpf_map_lookup_elem(&nids_flows6, &index), &index, &f);
}

/* What nearly every packet needs, in place: 1 where that was all. */
static __always_inline int count_here(struct nids_counters *counters, void *set,
				      const struct flow_packet *f)
{
	struct first_pass_tables tables = {.counters = counters,
					   .set = set,
					   .features = nids_features,
					   .now_ticks = pass_now_ticks(),
					   .idle_ticks = nids_idle_ticks};

	return set && count_in_known_flow(&tables, f);
}

static __always_inline __u64 account_ipv4(struct nids_counters *counters,
					  const struct nids_packet *p,
					  const struct first_pass_frame *frame)
{
	struct nids_flow4_key key;
	struct flow_packet f = flow_packet_of(p, frame, flow4_key(p, &key));
	struct pass *pass;
	__u32 index;

	f.key = (const flow_word *)&key;
	f.words = FLOW4_WORDS;
	f.hash = flow4_hash(&key, nids_hash_keys);
	index = set_of(f.hash, nids_sets4_per_cpu);
	if (counters && count_here(counters, bpf_map_lookup_elem(&nids_flows4, &index), &f))
		return 0;
	pass = pass_of_this_cpu();
	if (!pass)
		return 0;
	pass->key4 = key;
	return nids_account4(pack_flow_packet(&f));
}

static __always_inline __u64 account_ipv6(struct nids_counters *counters,
					  const struct nids_packet *p,
					  const struct first_pass_frame *frame)
{
	struct nids_flow6_key key;
	struct flow_packet f = flow_packet_of(p, frame, flow6_key(p, &key));
	struct pass *pass;
	__u32 index;

	f.key = (const flow_word *)&key;
	f.words = FLOW6_WORDS;
	f.hash = flow6_hash(&key, nids_hash_keys);
	index = set_of(f.hash, nids_sets6_per_cpu);
	if (counters && count_here(counters, bpf_map_lookup_elem(&nids_flows6, &index), &f))
		return 0;
	pass = pass_of_this_cpu();
	if (!pass)
		return 0;
	pass->key6 = key;
	return nids_account6(pack_flow_packet(&f));
}

/* `counters` as a constant null: do not try to count here. */
static __always_inline struct first_pass_verdict account(struct nids_counters *counters,
							 const struct nids_packet *p,
							 const struct first_pass_frame *f)
{
	return unpack_verdict(p->ip_version == 4 ? account_ipv4(counters, p, f)
						 : account_ipv6(counters, p, f));
}

/* The hash of a packet's flow, and its set in each CPU's table. */
static __always_inline __u64 packet_hash(const struct nids_packet *p, __u32 *set)
{
	struct nids_flow4_key key4;
	struct nids_flow6_key key6;
	__u64 hash;

	if (p->ip_version == 4) {
		flow4_key(p, &key4);
		hash = flow4_hash(&key4, nids_hash_keys);
		*set = hash >> 32 & (nids_sets4_per_cpu - 1);
	} else {
		flow6_key(p, &key6);
		hash = flow6_hash(&key6, nids_hash_keys);
		*set = hash >> 32 & (nids_sets6_per_cpu - 1);
	}
	return hash;
}

/* Returns whether the packet is a sample to send up. */
__noinline int nids_judge(__u32 findings, __u32 wire_packets, __u32 wire_len, __u32 is_wanted)
{
	__u32 cpu = pass_cpu();
	struct nids_counters *counters = counters_of_this_cpu();
	struct finding_budget *budgets = bpf_map_lookup_elem(&nids_budgets, &cpu);

	if (!counters || !budgets)
		return 0;
	return judge_findings(
	    &(struct finding_tables){counters, budgets, pass_now_ticks(), nids_second_ticks},
	    findings, wire_packets, wire_len, is_wanted);
}

static __always_inline void account_findings(struct pass *pass)
{
	struct first_pass_verdict *v = &pass->verdict;

	if (!(nids_features & NIDS_FEATURE_FINDINGS))
		return;
	pass->findings = findings_of(&pass->packet);
	if (!pass->findings)
		return;
	if (!nids_judge(pass->findings, pass->frame.wire_packets, pass->frame.wire_len,
			!v->goes_up && !v->is_bypassed))
		return;
	v->goes_up = 1;
	v->reason = NIDS_REASON_FINDING;
}

#endif
