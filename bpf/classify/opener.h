/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the opening packet of a flow told, shared by all CPUs: the other direction,
 * or the same one after its process has moved, may come first on its CPU, and
 * must find the same class and opener there, and not count a second flow.
 * Direct-mapped by the flow's seeded hash, so that an attacker can only overwrite
 * at random, and each overwrite is counted. Pure: the table is given.
 */
#ifndef NIDS_CLASSIFY_OPENER_H
#define NIDS_CLASSIFY_OPENER_H

#include "classify.h"

#define OPENER_TAG_MASK	  0xffffffffffff0000ull
#define OPENER_SIDE_SHIFT 8

static __always_inline __u64 *opener_entry(struct nids_openers *openers, __u64 hash)
{
	return &openers->entry[hash & (NIDS_OPENER_ENTRIES - 1)];
}

/* Entry 0 means empty, so no tag is 0. */
static __always_inline __u64 opener_tag(__u64 hash)
{
	return (hash & OPENER_TAG_MASK) | 1ull << 63;
}

/* Whether the flow is known; then `choice` is what its opening packet told. */
static __always_inline int recall_opener(struct nids_openers *openers, __u64 hash,
					 struct nids_class_choice *choice)
{
	__u64 known = *(volatile __u64 *)opener_entry(openers, hash);

	if ((known & OPENER_TAG_MASK) != opener_tag(hash))
		return 0;
	choice->class_id = known & 0xff;
	choice->opener = known >> OPENER_SIDE_SHIFT & 1;
	return 1;
}

/* Returns whether another flow is forgotten for it. */
static __always_inline int remember_opener(struct nids_openers *openers, __u64 hash,
					   struct nids_class_choice choice)
{
	__u64 *entry = opener_entry(openers, hash);
	__u64 known = *(volatile __u64 *)entry;

	*(volatile __u64 *)entry =
	    opener_tag(hash) | (__u64)choice.opener << OPENER_SIDE_SHIFT | choice.class_id;
	return known && (known & OPENER_TAG_MASK) != opener_tag(hash);
}

#endif
