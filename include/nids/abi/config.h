/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the agent tells the program: classes, ports, and who is attached. */
#ifndef NIDS_ABI_CONFIG_H
#define NIDS_ABI_CONFIG_H

#include "lists.h"

#define NIDS_CLASS_MAX	    64 /* index 0 means "no class" */
#define NIDS_CLASS_NAME_MAX 24 /* bytes with the final NUL */

/* nids_class.flags */
#define NIDS_CLASS_RETIRED 0x01 /* removed by a reload; its flows keep its name */

/* Index 0 holds what is wanted of flows that have no class. */
struct nids_class {
	char name[NIDS_CLASS_NAME_MAX]; /* empty: index not in use */
	__u32 depth_bytes;		/* inspect: packets that begin below it, in a direction */
	__u8 interest;			/* enum nids_interest */
	__u8 severity;			/* 1 high to 3 low */
	__u8 identify_packets;		/* identify: so many with payload, of both directions */
	__u8 flags;			/* NIDS_CLASS_* */
};
NIDS_ABI_SIZE(struct nids_class, 32);

/* The class of each destination port; 0 for none. */
struct nids_port_classes {
	__u8 tcp[65536];
	__u8 udp[65536];
};
NIDS_ABI_SIZE(struct nids_port_classes, 131072);

/* Entries of nids_classes and nids_ports. The program uses one; the parent writes the other and
 * then switches.
 */
#define NIDS_CLASS_TABLES 2

/* What the program is loaded with; the rest is compiled out. */
#define NIDS_FEATURE_CAPTURE	  0x01
#define NIDS_FEATURE_INSPECT	  0x02
#define NIDS_FEATURE_IDENTIFY	  0x04
#define NIDS_FEATURE_FINDINGS	  0x08
#define NIDS_FEATURE_COMMANDS	  0x10 /* the agent's, per flow */
#define NIDS_FEATURE_UNCLASSIFIED 0x20 /* flows without a class are of interest too */
#define NIDS_FEATURE_BYPASS	  0x40
#define NIDS_FEATURE_HEADERS	  0x80
#define NIDS_FEATURES_ALL	  0xff
#define NIDS_FEATURES_BY_FLOW                                                                      \
	(NIDS_FEATURE_CAPTURE | NIDS_FEATURE_INSPECT | NIDS_FEATURE_IDENTIFY |                     \
	 NIDS_FEATURE_COMMANDS | NIDS_FEATURE_BYPASS | NIDS_FEATURE_HEADERS)

#define NIDS_HASH_KEYS 21 /* random words: bpf/flow/key.h */

struct nids_hash_keys_value {
	__u64 word[NIDS_HASH_KEYS];
};
NIDS_ABI_SIZE(struct nids_hash_keys_value, 168);

/* How incoming packets are seen: by XDP, or by tc. */
enum nids_mode { NIDS_MODE_NATIVE = 1, NIDS_MODE_SKB = 2, NIDS_MODE_TC = 3 };

/* nids_info.flags */
#define NIDS_INFO_EGRESS	 0x1 /* the tc program was attached too */
#define NIDS_INFO_CREATED_CLSACT 0x2 /* the clsact qdisc is ours to remove */

/* Written once by the loader: by this map an attached program is known as ours. */
struct nids_info {
	__u64 magic; /* NIDS_MAGIC */
	__u32 abi_version;
	__u32 ifindex;
	__u32 mode; /* enum nids_mode */
	__u32 flags;
	__u64 attached_wall_ns; /* CLOCK_REALTIME */
	__u64 netns_inode;
	__u32 cpus;	     /* counter entries, and flow tables */
	__u32 sets4_per_cpu; /* IPv4; a power of two */
	__u32 sets6_per_cpu; /* IPv6; a power of two */
	__u32 cells;	     /* a power of two */
	__u32 rings;	     /* one a worker */
	__u32 tick_ns;	     /* of the slots' times */
	__u32 ring_bytes;    /* each */
	__u32 snap_bytes;
	__u32 sample_bytes;
	__u32 features; /* NIDS_FEATURE_* */
	char ifname[16];
	char reason[128]; /* why this mode, in words; NUL-terminated */
};
NIDS_ABI_SIZE(struct nids_info, 224);

#endif
