/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The set of a flow determines the ring of its records. So the flows of a ring are one range of
 * sets in each table, and one worker of the agent owns the ring and the range. Pure.
 */
#ifndef NIDS_ABI_SHARD_H
#define NIDS_ABI_SHARD_H

#include "version.h"

/* `sets` is the size of the table on one CPU, at least 1; `set` is below it. */
static inline __attribute__((always_inline)) __u32 nids_ring_of_set(__u32 set, __u32 sets,
								    __u32 rings)
{
	return (__u32)((__u64)set * rings / sets);
}

/* The first set of a ring, whose range ends before the first set of the next ring. Returns `sets`
 * if `ring` is `rings`.
 */
static inline __attribute__((always_inline)) __u32 nids_first_set_of_ring(__u32 ring, __u32 sets,
									  __u32 rings)
{
	return (__u32)(((__u64)ring * sets + rings - 1) / rings);
}

#endif
