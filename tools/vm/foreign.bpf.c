// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Somebody else's XDP program: it passes what comes, and counts it. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

__u64 foreign_packets;

SEC("xdp")
int foreign_pass(struct xdp_md* ctx) {
  __sync_fetch_and_add(&foreign_packets, 1);
  return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
