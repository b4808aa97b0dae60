/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The memory of who opened ambiguous flows, shared by all CPUs: direct-mapped by
 * the flow's seeded hash, so that an attacker can only overwrite at random, and
 * each overwrite is counted. Pure: the table is given.
 */
#ifndef NIDS_CLASSIFY_OPENER_H
#define NIDS_CLASSIFY_OPENER_H

#include "classify.h"

#define OPENER_TAG_MASK	  0xffffffffffff0000ull
#define OPENER_SIDE_SHIFT 8

/* Returns 1 and the remembered choice where the flow is known; else remembers
 * `choice`. `replaced` is raised where that forgets another flow.
 */
static __always_inline int recall_opener(struct nids_openers *openers, __u64 hash,
					 struct nids_class_choice *choice, __u64 *replaced)
{
	__u64 *entry = &openers->entry[hash & (NIDS_OPENER_ENTRIES - 1)];
	/* Entry 0 means empty; a tag of 0 is as good as any other with one bit set. */
	__u64 tag = (hash & OPENER_TAG_MASK) | 1ull << 63;
	__u64 known = *(volatile __u64 *)entry;

	if ((known & OPENER_TAG_MASK) == tag) {
		choice->class_id = known & 0xff;
		choice->opener = known >> OPENER_SIDE_SHIFT & 1;
		return 1;
	}
	if (known)
		*replaced += 1;
	*(volatile __u64 *)entry =
	    tag | (__u64)choice->opener << OPENER_SIDE_SHIFT | choice->class_id;
	return 0;
}

#endif
