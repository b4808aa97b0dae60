/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The version of every layout in this folder, and the words the layouts are
 * written with. Owns no layout itself.
 */
#ifndef NIDS_ABI_VERSION_H
#define NIDS_ABI_VERSION_H

#include <linux/types.h>

/* Raised with any change to a structure or list in abi/. An agent adopts only
 * maps that carry its own version and replaces all others.
 */
#define NIDS_ABI_VERSION 13u

/* First word of struct nids_info: tells our programs from other people's. */
#define NIDS_MAGIC 0x5044582d5344494eull /* "NIDS-XDP", little-endian */

/* On a field that is read as 64-bit words. */
#define NIDS_WORD_ALIGNED __attribute__((aligned(8)))

#ifdef __cplusplus
#define NIDS_ABI_SIZE(type, bytes) static_assert(sizeof(type) == (bytes), #type)
#else
#define NIDS_ABI_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type)
#endif

#endif
