/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the agent tells the program: classes, ports, and who is attached. */
#ifndef NIDS_ABI_CONFIG_H
#define NIDS_ABI_CONFIG_H

#include "lists.h"

#define NIDS_CLASS_MAX	    64 /* index 0 means "no class" */
#define NIDS_CLASS_NAME_MAX 24 /* bytes with the final NUL */

struct nids_class {
	char name[NIDS_CLASS_NAME_MAX]; /* empty: index not in use */
	__u32 depth_bytes;		/* a direction: packets that begin below it go up */
	__u8 interest;			/* enum nids_interest */
	__u8 severity;			/* 1 high to 3 low */
	__u16 reserved;
};
NIDS_ABI_SIZE(struct nids_class, 32);

/* The class of each destination port; 0 for none. */
struct nids_port_classes {
	__u8 tcp[65536];
	__u8 udp[65536];
};
NIDS_ABI_SIZE(struct nids_port_classes, 131072);

/* Who opened a flow that has a class, or may have one (bpf/classify/opener.h); one
 * word an entry, so that it is written and read whole: the upper 48 bits of the
 * flow's hash, then `opener`, then the class.
 */
#define NIDS_OPENER_ENTRIES 65536

struct nids_openers {
	__u64 entry[NIDS_OPENER_ENTRIES];
};
NIDS_ABI_SIZE(struct nids_openers, 524288);

enum nids_mode { NIDS_MODE_NATIVE = 1, NIDS_MODE_SKB = 2 };

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
	__u32 cpus;	    /* counter entries, and flow tables */
	__u32 sets_per_cpu; /* a power of two */
	__u32 ring_bytes;
	__u32 snap_bytes;
	char ifname[16];
	char reason[128]; /* why this mode, in words; NUL-terminated */
};
NIDS_ABI_SIZE(struct nids_info, 200);

#endif
