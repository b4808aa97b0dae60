/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* TEST_RUN repeats one frame: these programs turn it into a packet of another flow
 * and go on, by tail call, in the program to measure. They count nothing.
 */
#ifndef NIDS_BENCH_FLOW_PICKER_H
#define NIDS_BENCH_FLOW_PICKER_H

#include "parse/wire.h"
#include "reference.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>

#include <bpf/bpf_helpers.h>

#define FLOW_ADDRESS_BITS 24 /* of a flow's number, below 10.0.0.0/8; the rest is its port */
#define FLOW_NETWORK 0x0a000000u
#define FLOW_FIRST_PORT 1024

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct bench_pick);
} bench_pick SEC(".maps");

/* The program to measure. */
struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} bench_next_program SEC(".maps");

/* One to one on 24 bits. Neighbouring numbers give distant addresses: addresses in
 * a row would fill a multiplicative hash more evenly than any network's do.
 */
static __always_inline __u32 scatter(__u32 number) {
  const __u32 mask = (1u << FLOW_ADDRESS_BITS) - 1;

  number = number * 0x9e3779b1u & mask;
  number ^= number >> 13;
  number = number * 0x85ebca6bu & mask;
  return number ^ number >> 11;
}

static __always_inline int continue_as_flow(struct xdp_md* ctx, __u64 number) {
  struct {
    struct ethhdr eth;
    struct iphdr ip;
    struct tcphdr tcp;
  } __attribute__((packed))* frame = (void*)(long)ctx->data;

  if ((void*)(frame + 1) > (void*)(long)ctx->data_end) return XDP_ABORTED;
  frame->ip.saddr = be32(FLOW_NETWORK | scatter(number));
  frame->tcp.source = be16(FLOW_FIRST_PORT + (number >> FLOW_ADDRESS_BITS));
  bpf_tail_call(ctx, &bench_next_program, 0);
  return XDP_ABORTED; /* no program there: the loader looks for this verdict */
}

SEC("xdp.frags")
int bench_random(struct xdp_md* ctx) {
  __u32 zero = 0;
  struct bench_pick* pick = bpf_map_lookup_elem(&bench_pick, &zero);

  if (!pick) return XDP_ABORTED;

  __u64 x = pick->random;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  pick->random = x;
  return continue_as_flow(ctx, x >> 16 & pick->mask);
}

SEC("xdp.frags")
int bench_next(struct xdp_md* ctx) {
  __u32 zero = 0;
  struct bench_pick* pick = bpf_map_lookup_elem(&bench_pick, &zero);

  return pick ? continue_as_flow(ctx, pick->next++) : XDP_ABORTED;
}

#endif
