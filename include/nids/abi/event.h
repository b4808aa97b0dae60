/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The records of the ring buffer. */
#ifndef NIDS_ABI_EVENT_H
#define NIDS_ABI_EVENT_H

#include "counters.h"
#include "flow.h"
#include "packet.h"

/* Bytes: a maximal GSO packet with its link header. */
#define NIDS_SNAP_MAX 65600u

struct nids_event {
	__u64 ktime_ns;	   /* bpf_ktime_get_ns(): monotonic, never wall time; replay: the
			    * packet's time */
	__u16 abi_version; /* NIDS_ABI_VERSION */
	__u8 kind;	   /* enum nids_record_kind: what follows */
	__u8 direction;	   /* enum nids_direction */
	__u32 ifindex;
};
NIDS_ABI_SIZE(struct nids_event, 16);

/* NIDS_RECORD_PACKET: followed by cap_len bytes of the frame. */
struct nids_packet_event {
	struct nids_event event;
	struct nids_packet packet;
	__u32 wire_len;	    /* bytes of the frame, or of all frames it stands for */
	__u32 wire_packets; /* 1, or the segments of a GSO packet */
	__u32 frame_len;    /* bytes of the frame as the hook saw it */
	__u32 cap_len;	    /* bytes that follow, <= NIDS_SNAP_MAX and <= frame_len */
	__u8 class_id;	    /* index of nids_classes, never 0 */
	__u8 from_opener;   /* 1: sent by the side that opened the connection */
	__u8 reserved[2];
	__u32 segment_len; /* payload bytes in each segment of a GSO packet; else 0 */
};
NIDS_ABI_SIZE(struct nids_packet_event, 104);

/* NIDS_RECORD_FLOW_EXPORT */
struct nids_flow_event {
	struct nids_event event;
	struct nids_flow_slot slot;
};
NIDS_ABI_SIZE(struct nids_flow_event, 144);

#endif
