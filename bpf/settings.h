/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The loader's words to the program: read-only data, so that the verifier knows
 * them as constants. The seed is never pinned or printed.
 */
#ifndef NIDS_SETTINGS_H
#define NIDS_SETTINGS_H

#include "nids/abi/event.h"

const volatile __u32 nids_ifindex = 0;
const volatile __u32 nids_snap_bytes = NIDS_SNAP_MAX;
const volatile __u32 nids_sets_per_cpu = 1; /* a power of two */
const volatile __u64 nids_hash_seed = 0;
const volatile __u8 nids_packet_time = 0; /* 1: a replay's copy, see clock.h */

#endif
