/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A flow's key, the slot that one CPU keeps of it, and what all CPUs share of it. */
#ifndef NIDS_ABI_FLOW_H
#define NIDS_ABI_FLOW_H

#include "lists.h"

/* Both directions have the same key: `lo` is the end with the smaller
 * (address, port), compared as bytes in network order. This form is for records
 * and for the agent; slots hold the packed ones below.
 */
struct nids_flow_key {
	__u8 lo_addr[16] NIDS_WORD_ALIGNED; /* IPv4 in the first 4 bytes, the rest zero */
	__u8 hi_addr[16];
	__u16 lo_port; /* host order */
	__u16 hi_port;
	__u16 vlan[2]; /* the two outermost ids, 0 where there is none */
	__u8 l4_proto;
	__u8 ip_version;
	__u8 tunnel; /* enum nids_tunnel; not NONE: a struct nids_flow_tunnel completes the key */
	__u8 reserved[5]; /* 0: the key is compared and hashed as 6 words */
};
NIDS_ABI_SIZE(struct nids_flow_key, 48);

/* The outer headers of a tunnelled flow. They are part of its key; otherwise anyone who can send
 * tunnelled packets could add to any flow. All zero for a flow outside a tunnel.
 */
struct nids_flow_tunnel {
	/* The outer source of what `lo` sends; IPv4 as in the key. */
	__u8 lo_addr[16] NIDS_WORD_ALIGNED;
	__u8 hi_addr[16];
	__u32 id;   /* VXLAN network identifier or GRE key, host order */
	__u32 bits; /* NIDS_TUNNEL_* below */
};
NIDS_ABI_SIZE(struct nids_flow_tunnel, 40);

#define NIDS_TUNNEL_VLANS	0x00ffffffu /* outermost VLAN ids, as in a tail */
#define NIDS_TUNNEL_KIND_SHIFT	24	    /* enum nids_tunnel, 3 bits */
#define NIDS_TUNNEL_KIND_MASK	0x7u
#define NIDS_TUNNEL_INNER_IPV6	0x08000000u
#define NIDS_TUNNEL_OUTER_IPV6	0x10000000u
#define NIDS_TUNNEL_HAS_ID	0x20000000u
#define NIDS_TUNNEL_VXLAN_LINUX 0x40000000u /* to port 8472 instead of 4789 */

/* Index of the per-direction arrays: who sent the packet. */
enum nids_sender { NIDS_FROM_LO = 0, NIDS_FROM_HI = 1 };

/* Packed keys, compared as 64-bit words. `tail`: VLAN ids in bits 0-11 and 12-23,
 * the protocol in bits 24-31.
 */
struct nids_flow4_key {
	__u32 lo_addr NIDS_WORD_ALIGNED; /* network order */
	__u32 hi_addr;
	__u16 lo_port; /* host order */
	__u16 hi_port;
	__u32 tail;
};
NIDS_ABI_SIZE(struct nids_flow4_key, 16);

struct nids_flow6_key {
	__u8 lo_addr[16] NIDS_WORD_ALIGNED;
	__u8 hi_addr[16];
	__u16 lo_port;
	__u16 hi_port;
	__u32 tail;
};
NIDS_ABI_SIZE(struct nids_flow6_key, 40);

/* The key of a tunnelled flow. `inner.tail` has NIDS_TAIL_EXTENDED in place of the VLAN ids, which
 * are in `tunnel.bits`. So no key without a tunnel equals it. A flow in VLAN 4095 of VLAN 4095,
 * whose ids equal NIDS_TAIL_EXTENDED, has such a key too.
 */
struct nids_extended_key {
	struct nids_flow6_key inner; /* IPv4 addresses in the first 4 bytes */
	struct nids_flow_tunnel tunnel;
};
NIDS_ABI_SIZE(struct nids_extended_key, 80);

#define NIDS_TAIL_VLANS	   0x00ffffffu
#define NIDS_TAIL_EXTENDED NIDS_TAIL_VLANS

/* First events of a flow, as Zeek's history has them: a bit each in a slot, for a
 * sender; that of NIDS_FROM_HI stands NIDS_EVENTS_PER_SENDER higher.
 */
#define NIDS_EVENT_SYN	       0x01 /* S */
#define NIDS_EVENT_SYN_ACK     0x02 /* H */
#define NIDS_EVENT_ACK	       0x04 /* A: an ACK and nothing else */
#define NIDS_EVENT_DATA	       0x08 /* D */
#define NIDS_EVENT_FIN	       0x10 /* F */
#define NIDS_EVENT_RST	       0x20 /* R */
#define NIDS_EVENTS_PER_SENDER 6
#define NIDS_EVENTS_OF_LO      0x3f
#define NIDS_EVENTS_OF_END     ((NIDS_EVENT_FIN | NIDS_EVENT_RST) * (1 + (1 << NIDS_EVENTS_PER_SENDER)))

/* nids_flow_state.flags */
#define NIDS_FLOW_OPENER_HI 0x01 /* the connection was opened by the `hi` end */
#define NIDS_FLOW_CONTINUES 0x02 /* an earlier part of this flow went up: a count was full */
#define NIDS_FLOW_WATCHED   0x04 /* it has a class, or flows without one are of interest too */
#define NIDS_FLOW_CAPTURE   0x08 /* the agent wanted all of it before this CPU had a slot */
#define NIDS_FLOW_HEADERS   0x10 /* the same, of headers */
#define NIDS_FLOW_ANSWERED  0x20 /* this CPU has seen first events of both sides, and of no end */
#define NIDS_FLOW_RAISED    (NIDS_FLOW_WATCHED | NIDS_FLOW_CAPTURE | NIDS_FLOW_HEADERS)

/* What one CPU saw of a flow. The kernel writes all of it but `command`. The agent writes that by
 * one aligned store. The kernel obeys it only if its generation is the slot's, so that a command
 * never meets a later flow. At a SYN or SYN-ACK of a flow of interest the kernel sets
 * NIDS_COMMAND_NONE in place of NIDS_INTEREST_COUNT.
 */
struct nids_flow_state {
	__u64 bytes[2];	     /* by enum nids_sender; wire bytes */
	__u32 packets[2];    /* wire packets, GSO counted out; goes up before it is full */
	__u32 created_ticks; /* the low half of jiffies; in a replay, of packet time */
	__u32 last_ticks;
	__u8 tcp_flags[2]; /* all flags seen, or-ed; of ICMP all types */
	__u8 class_id;	   /* index of nids_classes if `flags` names the right opener; 0: none */
	__u8 flags;	   /* NIDS_FLOW_* */
	__u32 command;	   /* generation << NIDS_COMMAND_BITS | NIDS_COMMAND_REPORTED | word */
	__u32 generation;  /* 24 bits; 0: the slot was never used */
	__u16 events;	   /* NIDS_EVENT_*, of both senders */
	__u8 identified;   /* packets with payload that went up to be identified */
	__u8 other_class;  /* the same if the other side is the opener */
};
NIDS_ABI_SIZE(struct nids_flow_state, 48);

#define NIDS_COMMAND_BITS     8
#define NIDS_COMMAND_REPORTED 0x80 /* to agents: what was counted so far has been told */
#define NIDS_COMMAND_WORD     0x7f /* the agent's word on the flow: */
#define NIDS_COMMAND_INTEREST 0x1f /* enum nids_interest, or: */
#define NIDS_COMMAND_DROP     0x1e /* reserved: drop every packet; no program does so yet */
#define NIDS_COMMAND_NONE     0x1f /* as its class says */
#define NIDS_COMMAND_STOP_LO  0x20 /* enough came up of what `lo` sends: no more of it, */
#define NIDS_COMMAND_STOP_HI  0x40 /* or of what `hi` sends, but samples of findings */
#define NIDS_GENERATION_MAX   0xffffffu

struct nids_flow4 { /* one cache line */
	struct nids_flow4_key key;
	struct nids_flow_state state;
};
NIDS_ABI_SIZE(struct nids_flow4, 64);

struct nids_flow6 { /* two cache lines; IPv6 flows, and tunnelled flows of IPv4 and IPv6 */
	struct nids_flow6_key key;
	struct nids_flow_state state;
	struct nids_flow_tunnel tunnel; /* valid only if the key has NIDS_TAIL_EXTENDED */
};
NIDS_ABI_SIZE(struct nids_flow6, 128);

/* A connection silent for so long is over: Zeek's and RFC 4787's order of magnitude for UDP. */
#define NIDS_IDLE_NS 60000000000ull

/* Ticks wrap, so that only differences mean anything, and no difference tells what is ahead from
 * what is long ago. So much may a slot be ahead, since packets of a replay go back in time, in
 * jiffies of 1 kHz an hour and 10 minutes; what seems more is long ago, up to 48 days.
 */
#define NIDS_TICKS_AHEAD (1u << 22)

#define NIDS_WAYS 8 /* slots a set: measured, 8 ways at a quarter load hardly ever evict */

struct nids_flow4_set {
	struct nids_flow4 way[NIDS_WAYS];
};
NIDS_ABI_SIZE(struct nids_flow4_set, 512);

struct nids_flow6_set {
	struct nids_flow6 way[NIDS_WAYS];
};
NIDS_ABI_SIZE(struct nids_flow6_set, 1024);

/* What all CPUs share of a flow, by its hash: who opened it, what the agent wants of it
 * on CPUs that have no slot yet, and the order of its first events, which no slot can
 * tell where the directions run on different CPUs. Each word is written whole and
 * carries bits of the hash as its tag.
 */
struct nids_flow_cell {
	__u64 opener;  /* hash bits 16-63, then flags (8 bits), then class (8 bits) */
	__u64 history; /* hash bits 48-63, then up to 12 events of 4 bits, the first lowest */
};
NIDS_ABI_SIZE(struct nids_flow_cell, 16);

/* An event in a history: 1 + the number of its bit in nids_flow_state.events. */
#define NIDS_HISTORY_EVENT_BITS 4
#define NIDS_HISTORY_EVENTS	12

/* What an exported slot becomes. */
struct nids_flow_snapshot {
	struct nids_flow_key key;
	struct nids_flow_state state;
	__u64 history; /* as in nids_flow_cell, without the tag; 0: forgotten */
};
NIDS_ABI_SIZE(struct nids_flow_snapshot, 104);

#endif
