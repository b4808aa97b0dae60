/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the reference object and its loader share. Owns one layout; knows no program. */
#ifndef NIDS_BENCH_REFERENCE_H
#define NIDS_BENCH_REFERENCE_H

#include <linux/types.h>

/* Which flow the next packet belongs to: a number that bench_random draws and
 * bench_next counts.
 */
struct bench_pick {
  __u64 random; /* state of a xorshift64; never 0 */
  __u64 next;
  __u64 mask; /* flows - 1, for bench_random: a power of two less one */
};

#endif
