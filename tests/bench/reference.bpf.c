// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What bpf/nids.bpf.c is measured against: a program that only passes, and the
 * same first pass - our own parse, classify and counters - with its flows in the
 * kernel's preallocated HASH and LRU_HASH. Neither exports what it forgets. This
 * file is the one place of the benchmark that knows the headers of bpf/.
 */
#include "classify/classify.h"
#include "flow/key.h"
#include "flow_picker.h"
#include "parse/parse.h"
#include "stats.h"

#define FLOW_IDLE_AFTER_NS (60ull * 1000000000) /* as bpf/ has it */

struct bench_flow {
  __u64 packets[2]; /* by enum nids_sender */
  __u64 bytes[2];
  __u64 created_ns;
  __u64 last_ns;
  __u8 tcp_flags[2];
  __u8 class_id;
  __u8 opener;
  __u32 reserved;
};

/* Preallocated, which is their default; sized at load. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1);
  __type(key, struct nids_flow_key);
  __type(value, struct bench_flow);
} bench_hash_flows SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 1);
  __type(key, struct nids_flow_key);
  __type(value, struct bench_flow);
} bench_lru_flows SEC(".maps");

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

struct pass {
  struct nids_packet packet;
  struct first_pass_frame frame;
};

static __always_inline int begins_again(const struct bench_flow* flow, const struct nids_packet* p,
                                        __u64 now_ns) {
  int is_idle = now_ns > flow->last_ns + FLOW_IDLE_AFTER_NS;

  if (p->l4_proto != PROTO_TCP) return is_idle;
  if (!(p->tcp_flags & TCP_SYN)) return 0;
  return is_idle || ((flow->tcp_flags[0] | flow->tcp_flags[1]) & (TCP_FIN | TCP_RST));
}

/* Two branches: the verifier would not follow a variable index. */
static __always_inline void count_in_flow(struct bench_flow* flow, enum nids_sender sender,
                                          const struct pass* pass, __u64 now_ns) {
  flow->last_ns = now_ns;
  if (sender == NIDS_FROM_LO) {
    flow->packets[0] += pass->frame.wire_packets;
    flow->bytes[0] += pass->frame.wire_len;
    flow->tcp_flags[0] |= pass->packet.tcp_flags;
  } else {
    flow->packets[1] += pass->frame.wire_packets;
    flow->bytes[1] += pass->frame.wire_len;
    flow->tcp_flags[1] |= pass->packet.tcp_flags;
  }
}

/* A flow's first packet. What opens a flow of an ambiguous port is not remembered
 * across CPUs, as ours does: no case has one. Returns whether there was room.
 */
static __always_inline int open_flow(void* flows, const struct nids_flow_key* key,
                                     enum nids_sender sender, const struct pass* pass, __u64 now_ns,
                                     __u8* class_id) {
  __u32 zero = 0;
  struct nids_port_classes* ports = bpf_map_lookup_elem(&bench_ports, &zero);
  struct bench_flow flow = {.created_ns = now_ns};

  if (!ports) return 0;

  struct nids_class_choice choice = classify(ports, &pass->packet, sender);
  flow.class_id = choice.class_id;
  flow.opener = choice.opener;
  *class_id = choice.class_id;
  count_in_flow(&flow, sender, pass, now_ns);
  return bpf_map_update_elem(flows, key, &flow, BPF_NOEXIST) == 0;
}

/* classify and flow: nids_account of bpf/nids.bpf.c over another table. */
static __always_inline int account(void* flows, const struct pass* pass) {
  __u32 cpu = bpf_get_smp_processor_id();
  struct nids_counters* counters = bpf_map_lookup_elem(&bench_counters, &cpu);
  struct nids_flow_key key = {};
  __u64 packets, bytes, now_ns = bpf_ktime_get_coarse_ns();
  __u8 class_id = 0;
  int is_counted = 1;

  if (!pass || !counters) return 0;

  packets = pass->frame.wire_packets;
  bytes = pass->frame.wire_len;

  enum nids_sender sender = flow_key(&pass->packet, &key);
  struct bench_flow* flow = bpf_map_lookup_elem(flows, &key);
  if (flow) {
    if (begins_again(flow, &pass->packet, now_ns))
      *flow = (struct bench_flow){
          .created_ns = now_ns, .class_id = flow->class_id, .opener = flow->opener};
    count_in_flow(flow, sender, pass, now_ns);
    class_id = flow->class_id;
  } else {
    is_counted = open_flow(flows, &key, sender, pass, now_ns, &class_id);
    if (is_counted) counters->flows_created += 1;
  }
  add_sum(is_counted ? &counters->live : &counters->unaccounted, packets, bytes);
  stats_class(counters, class_id, packets, bytes, !flow && is_counted);
  return class_id;
}

/* Global functions, as ours: inlined, the verifier gives up. */
__noinline int bench_account_hash(struct pass* pass) { return account(&bench_hash_flows, pass); }

__noinline int bench_account_lru(struct pass* pass) { return account(&bench_lru_flows, pass); }

/* parse, and the counters of what it found. Returns whether there is a flow. */
static __always_inline int first_pass(struct xdp_md* ctx, struct pass* pass,
                                      struct nids_counters* counters) {
  struct cursor cursor = {.pos = (void*)(long)ctx->data,
                          .end = (void*)(long)ctx->data_end,
                          .wire_len = bpf_xdp_get_buff_len(ctx)};

  pass->frame = (struct first_pass_frame){.frame_len = cursor.wire_len,
                                          .wire_len = cursor.wire_len,
                                          .wire_packets = 1,
                                          .direction = NIDS_INGRESS};
  pass->packet.result = parse_frame(&cursor, &pass->packet);
  stats_packet(counters, &pass->packet, &pass->frame);
  if (pass->packet.flags & NIDS_PACKET_IS_FLOW) return 1;
  add_sum(&counters->no_flow, 1, cursor.wire_len);
  return 0;
}

static __always_inline struct nids_counters* counters_of_this_cpu(void) {
  __u32 cpu = bpf_get_smp_processor_id();

  return bpf_map_lookup_elem(&bench_counters, &cpu);
}

SEC("xdp.frags")
int bench_hash(struct xdp_md* ctx) {
  struct nids_counters* counters = counters_of_this_cpu();
  struct pass pass = {};

  if (!counters) return XDP_PASS;
  stats_start(counters);
  if (first_pass(ctx, &pass, counters)) bench_account_hash(&pass);
  stats_finish(counters);
  return XDP_PASS;
}

SEC("xdp.frags")
int bench_lru(struct xdp_md* ctx) {
  struct nids_counters* counters = counters_of_this_cpu();
  struct pass pass = {};

  if (!counters) return XDP_PASS;
  stats_start(counters);
  if (first_pass(ctx, &pass, counters)) bench_account_lru(&pass);
  stats_finish(counters);
  return XDP_PASS;
}

/* Where the rest of the time goes: the same, without a table of flows. */
SEC("xdp.frags")
int bench_parse(struct xdp_md* ctx) {
  struct nids_counters* counters = counters_of_this_cpu();
  struct pass pass = {};

  if (!counters) return XDP_PASS;
  stats_start(counters);
  first_pass(ctx, &pass, counters);
  stats_finish(counters);
  return XDP_PASS;
}

SEC("xdp.frags")
int bench_pass(struct xdp_md* ctx) {
  (void)ctx;
  return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
