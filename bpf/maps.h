/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Every map of the program, with its size and the reason for it. Sizes marked
 * "at load" are set by user/kernel/object.cpp.
 */
#ifndef NIDS_MAPS_H
#define NIDS_MAPS_H

#include "classify/finding.h"
#include "flow/related.h"
#include "nids/abi/clock.h"
#include "nids/abi/event.h"

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

/* 224 bytes. By this map an attached program is known as ours. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nids_info);
} nids_info SEC(".maps");

/* 3,328 bytes a possible CPU, at load. An array by CPU number and not a per-CPU
 * array: its lookup is inlined on 6.1 too, and blocks fill whole cache lines.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct nids_counters);
} nids_counters SEC(".maps");

/* 512 bytes a block, at load: one for the agent and one for each worker. The agent writes them
 * through mmap. They outlive the agent.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct nids_agent_counters);
} nids_agent SEC(".maps");

/* 64 bytes an IPv4 slot, 65,536 slots a CPU by default, at load. One value is all sets
 * of a CPU: its address is known before the packet is read, and a set is an offset
 * from there, where an index would go through memory, which each packet waits for.
 * Mmapable: slots then start on cache lines, and the agent reads them and writes
 * its commands without a system call.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct nids_flow4_set));
} nids_flows4 SEC(".maps");

/* 128 bytes a slot of an IPv6 or tunnelled flow, as many by default, at load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct nids_flow6_set));
} nids_flows6 SEC(".maps");

/* 16 bytes a flow, as many as one CPU's slots, at load: bpf/flow/cell.h. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct nids_flow_cell);
} nids_cells SEC(".maps");

/* 64 KiB: 8 bytes a datagram in fragments, bpf/flow/related.h. Shared by all CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << NIDS_DATAGRAM_BITS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
} nids_datagrams SEC(".maps");

/* 168 bytes: a copy of the hash keys for agents, which look up flows in cells. Only root can read
 * it, and it is never pinned. Programs do not use it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nids_hash_keys_value);
} nids_keys SEC(".maps");

/* 144 bytes a possible CPU, at load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nids_finding_budget[NIDS_FINDING_COUNT]);
} nids_budgets SEC(".maps");

/* 304 KiB: 4 bytes for each bucket of senders and finding, and of first packets. One value, because
 * an array entry takes 8 bytes.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nids_sample_buckets);
} nids_samples SEC(".maps");

/* 2 KiB each: 64 classes of 32 bytes, names included, so that any reader has them. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NIDS_CLASS_TABLES);
	__type(key, __u32);
	__type(value, struct nids_class[NIDS_CLASS_MAX]);
} nids_classes SEC(".maps");

/* 128 KiB each: a byte a port. One value, because an array would spend 8 bytes on each. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NIDS_CLASS_TABLES);
	__type(key, __u32);
	__type(value, struct nids_port_classes);
} nids_ports SEC(".maps");

/* 16 bytes for each ring, shared by all CPUs. See ring/ring.h. */
struct ring_state {
	__u64 forced;	/* when the last wake-up was, in 2^RING_WAKE_SHIFT ns */
	__u32 is_short; /* the last quarter was in use at the last query */
	__u32 reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NIDS_RINGS_MAX);
	__type(key, __u32);
	__type(value, struct ring_state);
} nids_ring_states SEC(".maps");

/* 24 bytes, written through mmap before each frame. Only a replay's copy of the
 * program has it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct nids_clock);
} nids_clock SEC(".maps");

/* 8 MiB by default, at load: 5 ms of flagged traffic at 10 Gb/s in frames of 1,514
 * bytes, which take 2,184 each. The agent looks every 20 ms, so it is woken before
 * that, see ring/ring.h. One for each of the agent's workers.
 */
struct nids_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
} nids_ring0 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, NIDS_RINGS_MAX);
	__type(key, __u32);
	__array(values, struct nids_ring);
} nids_rings SEC(".maps") = {.values = {&nids_ring0}};

#endif
