/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is written for the verifier's sake, and means nothing in a native build. */
#ifndef NIDS_PARSE_VERIFIER_H
#define NIDS_PARSE_VERIFIER_H

#include <linux/types.h>

/* linux/stddef.h may have said "inline" alone, which is a wish and not an order. */
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))

/* The verifier knows that packet memory may be read unaligned; a native build
 * must say so to the compiler.
 */
#ifdef __bpf__
#define NIDS_WIRE
#else
#define NIDS_WIRE __attribute__((packed))
#endif

/* Before a loop: what the verifier needs of it. A native compiler chooses. */
#ifdef __bpf__
#define NIDS_UNROLL    _Pragma("clang loop unroll(full)")
#define NIDS_NO_UNROLL _Pragma("clang loop unroll(disable)")
#else
#define NIDS_UNROLL
#define NIDS_NO_UNROLL
#endif

/* The kernel reads packets unaligned; clang would do it byte by byte. */
#ifdef __bpf__
#define NIDS_ALIGNED(pointer) __builtin_assume_aligned(pointer, 8)
#else
#define NIDS_ALIGNED(pointer) (pointer)
#endif

/* A pure function that the verifier is to check once, and not in each caller. */
#ifdef __bpf__
#define NIDS_CHECKED_ONCE __attribute__((noinline))
#else
#define NIDS_CHECKED_ONCE static inline
#endif

/* The same number, but the verifier knows nothing of it any more: else it would follow
 * each value that it may have to the program's end. `any` is a number it doesn't know.
 */
static __always_inline __u32 forget(__u32 number, __u64 any)
{
#ifdef __bpf__
	__u64 same = any;

	__asm__ volatile("" : "+r"(same));
	number += any - same;
	__asm__ volatile("" : "+r"(number));
#else
	(void)any;
#endif
	return number;
}

/* The same number, of which no compiler makes a branch: one on what can't be foretold, such
 * as which side sends, goes wrong every other time, and costs as much as a key and its hash.
 */
static __always_inline __u64 unforeseen(__u64 number)
{
	__asm__("" : "+r"(number));
	return number;
}

#endif
