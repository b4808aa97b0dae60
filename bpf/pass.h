/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One packet on its way through the stages of a program, where it is not in registers:
 * in memory of its CPU, since the stack is 512 bytes for a chain of functions. No
 * other packet comes between: both hooks run with bottom halves off.
 */
#ifndef NIDS_PASS_H
#define NIDS_PASS_H

#include "ring/ring.h" /* defines what first_pass.h asks for */

#include "first_pass.h"
#include "hook.h"

struct pass {
	struct nids_packet packet;
	struct nids_packet_detail detail;
	struct nids_flow4_key key4;    /* of the flow, for PASS_FLOW4 */
	struct nids_extended_key key6; /* of the flow otherwise; PASS_FLOW6 uses `inner` only */
	struct flow_packet flow;       /* without the address of the key */
	struct first_pass_frame frame;
	struct first_pass_verdict verdict;
	struct hook hook;
	struct coarse_clock clock;
	__u32 findings; /* a bit each, by enum nids_finding */
	__u8 is_plain;	/* read in place: `packet` is not filled yet */
};

/* What has become of a packet, or is still to do. */
enum outcome {
	PASS_DONE,  /* accounted, and that is all */
	PASS_UP,    /* accounted, and it goes up: the verdict is in the pass */
	PASS_FLOW4, /* its flow is not known, or needs more than counting; all is in the pass */
	PASS_FLOW6,
	PASS_FLOW_EXTENDED, /* the same for a flow with a struct nids_extended_key */
	PASS_RARE, /* for the reading in place that knows VLAN tags, and more than TCP and UDP */
	PASS_WHOLE /* for the reading by helper */
};

/* 376 bytes for each possible CPU, allocated at load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pass);
} nids_passes SEC(".maps");

static __always_inline struct pass *pass_of_this_cpu(void)
{
	__u32 cpu = pass_cpu();

	return bpf_map_lookup_elem(&nids_passes, &cpu);
}

#endif
