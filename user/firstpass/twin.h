/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The native twin of bpf/nids.bpf.c, in C: the same pure headers over tables of
 * this process. It reads no file and prints nothing; user/firstpass/first_pass.hpp
 * owns it.
 */
#ifndef NIDS_FIRSTPASS_TWIN_H
#define NIDS_FIRSTPASS_TWIN_H

#include "nids/abi/event.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Takes one record of the ring's layout; it is valid during the call only. */
typedef void (*nids_twin_sink)(void* context, const void* record, size_t bytes);

#define NIDS_TWIN_DATAGRAMS 8192 /* as many as bpf/flow/related.h says */

struct nids_twin {
  struct nids_counters counters;
  struct nids_class classes[NIDS_CLASS_MAX];
  struct nids_port_classes ports;
  struct nids_flow4_set* sets4;
  struct nids_flow6_set* sets6;
  struct nids_flow_cell* cells;
  __u64* datagrams; /* NIDS_TWIN_DATAGRAMS of them: bpf/flow/related.h */
  __u32 set4_count; /* powers of two */
  __u32 set6_count;
  __u32 cell_bits; /* of the number of a cell */
  __u32 features;  /* NIDS_FEATURE_* */
  __u32 snap_bytes;
  __u32 sample_bytes;
  __u32 tick_ns;
  __u64 hash_keys[NIDS_HASH_KEYS];
  __u64 now_ns; /* of the packet under way */
  nids_twin_sink sink;
  void* context;
  __u32 ring_count;
  __u32 ring;             /* of the record that is passed to the sink */
  __u64 sample_window_ns; /* at most one sample of a finding and sender; 0: no such limit */
  struct nids_finding_budget budgets[NIDS_FINDING_COUNT];
  struct nids_sample_buckets samples;
  __u8 record[sizeof(struct nids_packet_event) + sizeof(struct nids_packet_detail) + NIDS_SNAP_MAX];
};

struct nids_twin_frame {
  const void* bytes;
  __u32 captured_len; /* bytes that may be read */
  __u32 wire_len;     /* bytes, at least captured_len */
  __u64 time_ns;
  __u32 l3_offset;  /* bytes, where there is no Ethernet header */
  __u16 ether_type; /* of what stands at l3_offset, host order */
  __u8 is_ethernet;
  __u8 zero_means_rest; /* see bpf/parse/cursor.h */
};

/* The first pass over one frame, as an ingress packet. */
void nids_twin_packet(struct nids_twin* twin, const struct nids_twin_frame* frame);

/* The agent's word on a flow that is in the set, as FlowCommands gives it live; returns
 * how many slots it reached.
 */
__u32 nids_twin_command(struct nids_twin* twin, const struct nids_flow_key* key,
                        const struct nids_flow_tunnel* tunnel, __u32 set, __u8 word);

/* parse alone: what tests, fuzzers and `pcap summary` ask for. Of `detail`, all is
 * written that records have; it may be null.
 */
void nids_twin_parse(const struct nids_twin_frame* frame, struct nids_packet* packet,
                     struct nids_packet_detail* detail);

/* What the packet alone is guilty of: a bit each, by enum nids_finding. */
__u32 nids_twin_findings(const struct nids_packet* packet);

#ifdef __cplusplus
}
#endif

#endif
