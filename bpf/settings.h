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
const volatile __u32 nids_sample_bytes = 512;	      /* of `identify`, `handshake` and `finding` */
const volatile __u32 nids_sets4_per_cpu = 1;	      /* powers of two */
const volatile __u32 nids_sets6_per_cpu = 1;
const volatile __u32 nids_cells_bits = 3; /* of the number of a cell */
const volatile __u32 nids_ring_count = 1;
const volatile __u32 nids_ring_bytes = 1 << 18; /* of each; a power of two */
const volatile __u32 nids_tick_ns = 1000000;
const volatile __u32 nids_idle_ticks = 60000;
const volatile __u32 nids_second_ticks = 1000;
const volatile __u32 nids_sample_window_ticks = 60000;
const volatile __u8 nids_packet_time = 0; /* 1: a replay's copy, see clock.h */
const volatile __u64 nids_hash_keys[NIDS_HASH_KEYS] = {};

/* Whether a frame may reach XDP in more than one buffer. Then a helper gives the length of each
 * frame, at a third of the cost of a packet of a known flow. The agent's parent writes it by the
 * MTU. The program sets it when it meets such a frame, because some drivers split headers from
 * payloads.
 */
volatile __u32 nids_frames_split SEC(".data.frames") = 0;

/* The entry of nids_classes and nids_ports that is in use. A packet reads this index once, so the
 * packet never sees parts of two tables. The agent's parent switches, see docs/adr/0020-*.
 */
volatile __u32 nids_class_table SEC(".data.classes") = 0;

/* What the values of the flow tables hold, which their maps, sized at load, do not say: for who
 * reads this object's BTF. Null.
 */
const struct nids_flow4_set *const volatile nids_flows4_are = 0;
const struct nids_flow6_set *const volatile nids_flows6_are = 0;

#endif
