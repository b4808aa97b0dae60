/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One frame as a hook, or the native twin, gives it: sizes, not bytes. */
#ifndef NIDS_FRAME_H
#define NIDS_FRAME_H

#include "nids/abi/counters.h"

/* A GSO packet stands for segments that each repeat its headers. Senders that the
 * kernel does not trust (virtio, tun) leave the number of segments open.
 */
struct gso {
	__u32 segments;
	__u32 segment_len; /* bytes of payload; 0: one packet on the wire */
};

struct first_pass_frame {
	__u32 frame_len;    /* bytes, with a VLAN tag that the hook took off */
	__u32 wire_len;	    /* bytes of all wire packets it stands for */
	__u32 wire_packets; /* 1, or the segments of a GSO packet */
	__u32 segment_len;  /* bytes of payload in each segment; 0: one wire packet */
	__u8 direction;	    /* enum nids_direction */
};

#endif
