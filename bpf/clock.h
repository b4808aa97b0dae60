/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The time of a packet: jiffies for accounting, which cost nothing to read, and
 * nanoseconds for records, which cost 30 of them.
 */
#ifndef NIDS_CLOCK_H
#define NIDS_CLOCK_H

#include "maps.h"
#include "settings.h"

static __always_inline __u32 pass_now_ticks(void)
{
	return bpf_jiffies64();
}

static __always_inline __u64 pass_now_ns(void)
{
	return bpf_ktime_get_ns();
}

#endif
