/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The loader's words to the program: read-only data, so that the verifier knows
 * them as constants, and leaves out what is not wanted. The hash keys are never
 * pinned or printed.
 */
#ifndef NIDS_SETTINGS_H
#define NIDS_SETTINGS_H

#include "nids/abi/event.h"

const volatile __u32 nids_ifindex = 0;
const volatile __u32 nids_features = NIDS_FEATURES_ALL & ~NIDS_FEATURE_UNCLASSIFIED;
const volatile __u32 nids_snap_bytes = NIDS_SNAP_MAX; /* of what is captured or inspected */
const volatile __u32 nids_sample_bytes = 512;	      /* of what is identified, or a sample */
const volatile __u32 nids_sets4_per_cpu = 1;	      /* powers of two */
const volatile __u32 nids_sets6_per_cpu = 1;
const volatile __u32 nids_cells_mask = 0;
const volatile __u32 nids_ring_count = 1;
const volatile __u32 nids_tick_ns = 1000000;
const volatile __u32 nids_idle_ticks = 60000;
const volatile __u32 nids_second_ticks = 1000;
const volatile __u8 nids_packet_time = 0; /* 1: a replay's copy, see clock.h */
const volatile __u64 nids_hash_keys[NIDS_HASH_KEYS] = {};

#endif
