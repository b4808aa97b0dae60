/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* classify and flow with the program's own maps: once for each version of IP. */
#ifndef NIDS_ACCOUNT_H
#define NIDS_ACCOUNT_H

#include "pass.h"

/* There is a block for each possible CPU. The way that is never taken names the maps
 * that no other instruction does, so that the program holds them and whoever
 * finds the program finds them.
 */
static __always_inline struct nids_counters *counters_of(__u32 cpu)
{
	__u32 zero = 0;
	struct nids_counters *counters = bpf_map_lookup_elem(&nids_counters, &cpu);

	if (!counters) {
		bpf_map_lookup_elem(&nids_info, &zero);
		bpf_map_lookup_elem(&nids_agent, &zero);
		bpf_map_lookup_elem(&nids_keys, &zero);
	}
	return counters;
}

static __always_inline struct nids_counters *counters_of_this_cpu(void)
{
	return counters_of(pass_cpu());
}

/* The set of a flow in the table of a CPU; null for none, which the verifier wants asked. */
static __always_inline void *set4_of(__u64 hash, __u32 cpu)
{
	void *sets = bpf_map_lookup_elem(&nids_flows4, &cpu);

	return sets ? sets + (hash >> 32 & (nids_sets4_per_cpu - 1)) * sizeof(struct nids_flow4_set)
		    : 0;
}

static __always_inline void *set6_of(__u64 hash, __u32 cpu)
{
	void *sets = bpf_map_lookup_elem(&nids_flows6, &cpu);

	return sets ? sets + (hash >> 32 & (nids_sets6_per_cpu - 1)) * sizeof(struct nids_flow6_set)
		    : 0;
}

/* classify and flow for the packet of the pass. Returns enum outcome. */
static __always_inline int account_in_set(struct pass *pass, void *set, struct flow_packet *f)
{
	__u32 table = nids_class_table;
	struct first_pass_tables tables = {
	    .counters = counters_of_this_cpu(),
	    .set = set,
	    .ports = bpf_map_lookup_elem(&nids_ports, &table),
	    .classes = bpf_map_lookup_elem(&nids_classes, &table),
	    .features = nids_features,
	    .now_ticks = pass_now_ticks(),
	    .idle_ticks = &nids_idle_ticks,
	    .host = &pass->clock,
	};

	if (!tables.counters || !set || !tables.ports || !tables.classes)
		return PASS_DONE;
	pass->verdict = account_flow(&tables, f);
	return pass->verdict.goes_up ? PASS_UP : PASS_DONE;
}

__noinline int nids_account4(void)
{
	struct pass *pass = pass_of_this_cpu();
	struct flow_packet f;

	if (!pass)
		return PASS_DONE;
	f = pass->flow;
	f.key = (const flow_word *)&pass->key4;
	f.words = FLOW4_WORDS;
	return account_in_set(pass, set4_of(f.hash, pass_cpu()), &f);
}

/* `words` is a constant. */
static __always_inline int account6(const __u32 words)
{
	struct pass *pass = pass_of_this_cpu();
	struct flow_packet f;

	if (!pass)
		return PASS_DONE;
	f = pass->flow;
	f.key = (const flow_word *)&pass->key6;
	f.words = words;
	return account_in_set(pass, set6_of(f.hash, pass_cpu()), &f);
}

__noinline int nids_account6(void)
{
	return account6(FLOW6_WORDS);
}

__noinline int nids_account_extended(void)
{
	return account6(EXTENDED_WORDS);
}

#endif
