/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A flow's key and the slot that one CPU keeps of it. */
#ifndef NIDS_ABI_FLOW_H
#define NIDS_ABI_FLOW_H

#include "lists.h"

/* Both directions have the same key: `lo` is the end with the smaller
 * (address, port), compared as bytes in network order.
 */
struct nids_flow_key {
	__u8 lo_addr[16] NIDS_WORD_ALIGNED; /* IPv4 in the first 4 bytes, the rest zero */
	__u8 hi_addr[16];
	__u16 lo_port; /* host order */
	__u16 hi_port;
	__u16 vlan[2]; /* the two outermost ids, 0 where there is none */
	__u8 l4_proto;
	__u8 ip_version;
	__u8 reserved[6]; /* 0: the key is compared and hashed as 6 words */
};
NIDS_ABI_SIZE(struct nids_flow_key, 48);

/* Index of the per-direction arrays: who sent the packet. */
enum nids_sender { NIDS_FROM_LO = 0, NIDS_FROM_HI = 1 };

struct nids_flow_slot {
	struct nids_flow_key key;
	__u64 packets[2]; /* by enum nids_sender; wire packets, GSO counted out */
	__u64 bytes[2];	  /* wire bytes */
	__u64 created_ns; /* bpf_ktime_get_coarse_ns(): monotonic, a jiffy fine */
	__u64 last_ns;
	__u32 tag;	   /* hash of the key; 0: the slot was never used */
	__u8 tcp_flags[2]; /* all flags seen, or-ed */
	__u8 class_id;	   /* index of nids_classes, 0 for none */
	__u8 opener;	   /* enum nids_sender: the side that opened the connection */
	__u64 unused[3];   /* 0; fills two cache lines */
};
NIDS_ABI_SIZE(struct nids_flow_slot, 128);

#define NIDS_WAYS 8 /* slots a set: measured, 8 ways at a quarter load hardly ever evict */

struct nids_flow_set {
	struct nids_flow_slot way[NIDS_WAYS];
};
NIDS_ABI_SIZE(struct nids_flow_set, 1024);

#endif
