// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What bpf/nids.bpf.c is measured against: a program that only passes, and the
 * same first pass - our own parse, classify and counters - with its flows in the
 * kernel's preallocated HASH and LRU_HASH. Neither exports what it forgets. This
 * file is the one place of the benchmark that knows the headers of bpf/.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

/* Frames are read in place only, as the program does with all frames of the cases. */
#define cursor_load(c, to, bytes) ((void)(c), (void)(to), -1)

#include "classify/classify.h"
#include "classify/finding.h"
#include "flow/cell.h"
#include "flow_picker.h"
#include "parse/parse.h"
#include "stats.h"

const volatile __u32 bench_idle_ticks = 15000; /* a minute of HZ=250: it is only compared */

/* Preallocated, which is their default; sized at load. Keys are packed, as the program's
 * own are: the hash of these maps costs by the byte.
 */
#define BENCH_MAP(map_type, map_name, key_type) \
  struct {                                      \
    __uint(type, map_type);                     \
    __uint(max_entries, 1);                     \
    __type(key, key_type);                      \
    __type(value, struct nids_flow_state);      \
  } map_name SEC(".maps")

BENCH_MAP(BPF_MAP_TYPE_HASH, bench_hash_flows, struct nids_flow4_key);
BENCH_MAP(BPF_MAP_TYPE_LRU_HASH, bench_lru_flows, struct nids_flow4_key);
BENCH_MAP(BPF_MAP_TYPE_HASH, bench_hash_flows6, struct nids_flow6_key);
BENCH_MAP(BPF_MAP_TYPE_LRU_HASH, bench_lru_flows6, struct nids_flow6_key);

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __uint(map_flags, BPF_F_MMAPABLE); /* blocks then start on cache lines, as ours do */
  __type(key, __u32);
  __type(value, struct nids_counters);
} bench_counters SEC(".maps");

/* Empty: no case flags a packet here. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct nids_port_classes);
} bench_ports SEC(".maps");

/* A flow's first packet. Its opener is not remembered across CPUs, which spares the
 * reference that. Returns whether there was room.
 */
static __always_inline int open_flow(void* flows, const struct flow_packet* f, __u32 now) {
  __u32 zero = 0;
  struct nids_port_classes* ports = bpf_map_lookup_elem(&bench_ports, &zero);
  struct nids_flow_state state = {
      .created_ticks = now, .last_ticks = now, .generation = 1, .events = events_of(f)};
  __u64 word = key_ports_and_tail(f);
  struct port_pair pair = {
      .src = word, .dst = word >> 16, .l4_proto = f->l4_proto, .tcp_flags = f->tcp_flags};

  if (!ports) return 0;
  state.class_id = classify(ports, &pair).class_id;
  /* Two branches: the verifier follows no variable index on the stack. */
  if (f->sender == NIDS_FROM_LO) {
    state.packets[0] = f->wire_packets;
    state.bytes[0] = f->wire_len;
    state.tcp_flags[0] = f->tcp_flags;
  } else {
    state.packets[1] = f->wire_packets;
    state.bytes[1] = f->wire_len;
    state.tcp_flags[1] = f->tcp_flags;
  }
  return bpf_map_update_elem(flows, f->key, &state, BPF_NOEXIST) == 0;
}

/* classify and flow, over another table. */
static __always_inline void account(void* flows, struct nids_counters* counters,
                                    const struct flow_packet* f) {
  __u32 now = bpf_jiffies64();
  struct nids_flow_state* state = bpf_map_lookup_elem(flows, f->key);
  int is_counted = 1;

  if (state) {
    if (begins_anew(state, f, now, &bench_idle_ticks)) reset_counts(state);
    state->events |= events_of(f);
    count_in_slot(state, f, now);
  } else {
    is_counted = open_flow(flows, f, now);
    if (is_counted) counters->flows_created += 1;
  }
  add_sum(is_counted ? &counters->live : &counters->unaccounted, f->wire_packets, f->wire_len);
}

enum table { NO_TABLE, HASH, LRU };

static __always_inline void account_ipv4(struct nids_counters* counters,
                                         const struct nids_packet* p,
                                         const struct first_pass_frame* frame,
                                         const enum table table) {
  struct nids_flow4_key key;
  struct flow_packet f = flow_packet_of(p, frame, flow4_key(p, &key));

  f.key = (const flow_word*)&key;
  f.words = FLOW4_WORDS;
  if (table == HASH) account(&bench_hash_flows, counters, &f);
  if (table == LRU) account(&bench_lru_flows, counters, &f);
}

static __always_inline void account_ipv6(struct nids_counters* counters,
                                         const struct nids_packet* p,
                                         const struct first_pass_frame* frame,
                                         const enum table table) {
  struct nids_flow6_key key;
  struct flow_packet f = flow_packet_of(p, frame, flow6_key(p, &key));

  f.key = (const flow_word*)&key;
  f.words = FLOW6_WORDS;
  if (table == HASH) account(&bench_hash_flows6, counters, &f);
  if (table == LRU) account(&bench_lru_flows6, counters, &f);
}

/* As plain.h has it: each protocol has code of its own. `l4_proto` and `table` are constants. */
static __always_inline void pass_transport(struct cursor* cursor, struct nids_packet* packet,
                                           struct nids_counters* counters, const __u8 l4_proto,
                                           __u32 l4_len, const enum table table) {
  struct first_pass_frame frame = {.frame_len = cursor->wire_len,
                                   .wire_len = cursor->wire_len,
                                   .wire_packets = 1,
                                   .direction = NIDS_INGRESS};

  packet->l4_proto = l4_proto;
  if (parse_transport(cursor, packet, l4_len) != NIDS_PARSE_OK) return;
  if (may_have_findings(packet) && findings_of(packet)) return;
  stats_packet(counters, packet, &frame);
  if (packet->ip_version == 4)
    account_ipv4(counters, packet, &frame, table);
  else
    account_ipv6(counters, packet, &frame, table);
}

/* From the network header on; `ether_type` and `table` are constants. */
static __always_inline void pass_ip(struct cursor* cursor, struct nids_packet* packet,
                                    struct nids_counters* counters, const __u16 ether_type,
                                    const enum table table) {
  __u32 l4_len = 0;

  packet->ether_type = ether_type;
  if (parse_internet(cursor, packet, &l4_len) != NIDS_PARSE_OK) return;
  if (packet->l4_proto == PROTO_TCP)
    pass_transport(cursor, packet, counters, PROTO_TCP, l4_len, table);
  else if (packet->l4_proto == PROTO_UDP)
    pass_transport(cursor, packet, counters, PROTO_UDP, l4_len, table);
}

static __always_inline int first_pass(struct xdp_md* ctx, const enum table table) {
  __u32 cpu = bpf_get_smp_processor_id();
  struct nids_counters* counters = bpf_map_lookup_elem(&bench_counters, &cpu);
  struct nids_packet packet = {};
  struct cursor cursor = {.base = (void*)(long)ctx->data,
                          .end = (void*)(long)ctx->data_end,
                          .wire_len = bpf_xdp_get_buff_len(ctx),
                          .reading = PLAIN};

  if (!counters) return XDP_PASS;
  stats_start(counters);
  if (parse_ethernet(&cursor, &packet) == NIDS_PARSE_OK) {
    if (packet.ether_type == ETHER_IPV4)
      pass_ip(&cursor, &packet, counters, ETHER_IPV4, table);
    else if (packet.ether_type == ETHER_IPV6)
      pass_ip(&cursor, &packet, counters, ETHER_IPV6, table);
  }
  stats_finish(counters);
  return XDP_PASS;
}

SEC("xdp.frags")
int bench_hash(struct xdp_md* ctx) { return first_pass(ctx, HASH); }

SEC("xdp.frags")
int bench_lru(struct xdp_md* ctx) { return first_pass(ctx, LRU); }

/* Where the rest of the time goes: the same, without a table of flows. */
SEC("xdp.frags")
int bench_parse(struct xdp_md* ctx) { return first_pass(ctx, NO_TABLE); }

const volatile __u32 bench_line_count = 1; /* a power of two */

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __uint(map_flags, BPF_F_MMAPABLE); /* values on cache lines */
  __type(key, __u32);
  __type(value, struct nids_flow4);
} bench_lines SEC(".maps");

/* The least that a table of so many slots can cost: one cache line of it, found by its index,
 * read and written. What it takes of a flow is what the pickers change.
 */
SEC("xdp.frags")
int bench_line(struct xdp_md* ctx) {
  const struct {
    struct wire_ethernet eth;
    struct wire_ipv4 ip;
    struct wire_tcp tcp;
  }* frame = (void*)(long)ctx->data;
  struct nids_flow4* line;
  __u32 index;

  if ((void*)(frame + 1) > (void*)(long)ctx->data_end) return XDP_ABORTED;
  index = ((__u64)frame->ip.src << 16 | frame->tcp.src_port) * 0x9e3779b97f4a7c15ull >> 32;
  index &= bench_line_count - 1;
  line = bpf_map_lookup_elem(&bench_lines, &index);
  if (line) line->state.bytes[0] += 1;
  return XDP_PASS;
}

SEC("xdp.frags")
int bench_pass(struct xdp_md* ctx) {
  (void)ctx;
  return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
