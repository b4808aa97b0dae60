/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where the program stands in time and place: the kernel's clock and CPU, or, with
 * nids_packet_time, those of the frame that a replay runs through it. Attached,
 * the switch is a constant 0, and the verifier removes all that hangs on it.
 */
#ifndef NIDS_CLOCK_H
#define NIDS_CLOCK_H

#include "maps.h"
#include "settings.h"

static __always_inline const struct nids_clock *pass_clock(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&nids_clock, &zero);
}

/* For records that go up: exact, and 30 ns. */
static __always_inline __u64 pass_now_ns(void)
{
	if (nids_packet_time) {
		const struct nids_clock *clock = pass_clock();

		return clock ? clock->now_ns : 0;
	}
	return bpf_ktime_get_ns();
}

/* The same, a jiffy fine, as no slot's time is finer: asked once a jiffy and CPU, since
 * each call of a helper costs some 10 ns.
 */
struct coarse_clock {
	__u64 now_ns;
	__u64 jiffy; /* when it was asked */
};

static __always_inline __u64 pass_now_coarse_ns(struct coarse_clock *clock)
{
	__u64 jiffy;

	if (nids_packet_time)
		return pass_now_ns();
	jiffy = bpf_jiffies64();
	if (clock->jiffy != jiffy) {
		clock->jiffy = jiffy;
		clock->now_ns = bpf_ktime_get_coarse_ns();
	}
	return clock->now_ns;
}

/* For accounting: it costs nothing to read. */
static __always_inline __u32 pass_now_ticks(void)
{
	return nids_packet_time ? pass_now_ns() / nids_tick_ns : bpf_jiffies64();
}

/* Whose tables: a replay has those of one CPU, wherever it runs. */
static __always_inline __u32 pass_cpu(void)
{
	return nids_packet_time ? 0 : bpf_get_smp_processor_id();
}

/* Bytes in the buffer before the frame. */
static __always_inline __u32 pass_lead(void)
{
	return nids_packet_time ? NIDS_CLOCK_LEAD : 0;
}

#endif
