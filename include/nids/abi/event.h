/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The records of the ring buffer. */
#ifndef NIDS_ABI_EVENT_H
#define NIDS_ABI_EVENT_H

#include "counters.h"
#include "flow.h"
#include "packet.h"

/* Bytes: a maximal GSO packet with its link header. */
#define NIDS_SNAP_MAX 65600u

#define NIDS_RINGS_MAX 64 /* one a worker of the agent */

/* What follows the head of a record. */
enum nids_record_kind { NIDS_RECORD_PACKET, NIDS_RECORD_FLOW_EXPORT };

struct nids_event {
	__u64 ktime_ns;	   /* monotonic, never wall time, a jiffy fine in exports; replay:
			    * the packet's time */
	__u16 abi_version; /* NIDS_ABI_VERSION */
	__u8 kind;	   /* enum nids_record_kind */
	__u8 direction;	   /* enum nids_direction */
	__u32 ifindex;
};
NIDS_ABI_SIZE(struct nids_event, 16);

/* Where the agent finds the flow's slots, for its commands: the same set on each CPU. */
struct nids_slot_address {
	__u32 set;	  /* of one CPU's table */
	__u32 generation; /* of the slot on this CPU; 0: the packet has no slot */
};
NIDS_ABI_SIZE(struct nids_slot_address, 8);

/* NIDS_RECORD_PACKET: followed by detail_len bytes of struct nids_packet_detail, all
 * of it or nothing, and by cap_len bytes of the frame.
 */
struct nids_packet_event {
	struct nids_event event;
	struct nids_packet packet;
	struct nids_slot_address slot;
	__u32 wire_len;	    /* bytes of the frame, or of all frames it stands for */
	__u32 wire_packets; /* 1, or the segments of a GSO packet */
	__u32 frame_len;    /* bytes of the frame as the hook saw it */
	__u32 cap_len;	    /* bytes that follow, <= NIDS_SNAP_MAX and <= frame_len */
	__u32 segment_len;  /* payload bytes in each segment of a GSO packet; else 0 */
	__u32 findings;	    /* a bit each, by enum nids_finding */
	__u8 class_id;	    /* index of nids_classes if `from_opener` is right; 0: none */
	__u8 from_opener;   /* 1: sent by the side that opened the connection, as one CPU guesses */
	__u8 reason;	    /* enum nids_reason: why it went up */
	__u8 detail_len;    /* bytes */
	__u8 other_class;   /* the same if the other side opened the connection */
	__u8 reserved[3];
};
NIDS_ABI_SIZE(struct nids_packet_event, 128);

/* Why a slot was exported. */
enum nids_export {
	NIDS_EXPORT_EVICTED, /* another flow took the slot */
	NIDS_EXPORT_ENDED,   /* the same ends began a new flow */
	NIDS_EXPORT_FULL     /* a count was full; the flow goes on */
};

/* NIDS_RECORD_FLOW_EXPORT */
struct nids_flow_event {
	struct nids_event event;
	struct nids_flow_snapshot flow;
	__u32 now_ticks; /* at event.ktime_ns */
	__u32 tick_ns;
	__u32 set; /* where the slot was, in the table of `cpu` */
	__u16 cpu;
	__u8 cause; /* enum nids_export */
	__u8 reserved;
};
NIDS_ABI_SIZE(struct nids_flow_event, 136);

/* NIDS_RECORD_FLOW_EXPORT of the table that holds IPv6 and tunnelled flows. */
struct nids_flow6_event {
	struct nids_flow_event flow;
	struct nids_flow_tunnel tunnel;
};
NIDS_ABI_SIZE(struct nids_flow6_event, 176);

#endif
