/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All counters: those of the program, one block a CPU, and those of the agent, one
 * block for its identity and outputs and one for each of its workers.
 */
#ifndef NIDS_ABI_COUNTERS_H
#define NIDS_ABI_COUNTERS_H

#include "config.h"
#include "lists.h"

struct nids_sum {
	__u64 packets;
	__u64 bytes;
};

struct nids_class_sum {
	__u64 flows; /* opened by the client's side; see docs/abi.md */
	__u64 packets;
	__u64 bytes;
	struct nids_sum lost; /* wanted above, but the ring was full */
};

/* How many samples of one finding went up from a CPU in the second that began then. */
struct nids_finding_budget {
	__u32 since_ticks;
	__u32 used;
};
NIDS_ABI_SIZE(struct nids_finding_budget, 8);

/* The time of the last sample of each finding in each bucket of senders; behind them that of the
 * last first packet of a flow that took the last quarter of a ring. A keyed hash of the source
 * address (IPv6: of its /64) chooses the bucket, so that a sender does not use up the samples of
 * the others. All CPUs share it. 0: never.
 */
#define NIDS_SAMPLE_BUCKET_BITS 12
#define NIDS_SAMPLE_BUCKETS	(1u << NIDS_SAMPLE_BUCKET_BITS)

struct nids_sample_buckets {
	__u32 last_ticks[(NIDS_FINDING_COUNT + 1) * NIDS_SAMPLE_BUCKETS];
};
NIDS_ABI_SIZE(struct nids_sample_buckets, 311296);

enum nids_direction { NIDS_INGRESS = 0, NIDS_EGRESS = 1 };

/* One CPU's counters. Only that CPU writes them, with plain stores.
 *
 * The writer raises `started` before and `finished` after all else: a copy between
 * two copies in which both are equal, and the same, is of one moment.
 */
struct nids_counters {
	__u64 finished;
	struct nids_sum seen[2]; /* by enum nids_direction */
	__u64 parse[NIDS_PARSE_RESULT_COUNT];
	__u64 network[NIDS_NETWORK_COUNT];
	__u64 transport[NIDS_TRANSPORT_COUNT];
	__u64 tunnel[NIDS_TUNNEL_COUNT];
	__u64 findings[NIDS_FINDING_COUNT];
	struct nids_class_sum classes[NIDS_CLASS_MAX]; /* by class index */

	/* The ledger: seen = live + exported + unaccounted + no_flow. */
	struct nids_sum live;	     /* in the slots of this CPU at this moment */
	struct nids_sum exported;    /* left the table, and went up */
	struct nids_sum unaccounted; /* overload: no slot could be had */
	struct nids_sum no_flow;     /* belongs to no flow by nature */
	__u64 flows_created;
	__u64 flows_exported;

	/* Left out by policy, of what is wanted above. */
	struct nids_sum beyond_depth;
	struct nids_sum not_sampled; /* packets with findings, above the rate of their kind */

	struct nids_sum ring_offered;		      /* records, and bytes of records */
	struct nids_sum ring_lost[NIDS_REASON_COUNT]; /* failed reserves */
	struct nids_sum copy_failed; /* records given back: the packet could not be read */
	__u64 cells_replaced; /* flows whose order of events was forgotten for others, by hash */
	__u64 fragments_replaced;  /* datagrams forgotten for others, by hash, before their time */
	__u64 gso_headers_unknown; /* wire packets counted without the headers that they repeat */
	__u64 started;
	__u64 first_packets_withheld; /* of ring_lost: left the last quarter to other packets */
	struct nids_sum dropped;      /* of seen: by a command of the agent; always 0 so far */
	__u64 reserved[6];	      /* a block fills whole cache lines */
};
NIDS_ABI_SIZE(struct nids_counters, 3328);

/* What the agent did. A map of the program stores it, so that it outlives the agent. Block 0 has
 * the identity of the agent and what its outputs did; block 1 + i is that of worker i. Readers add
 * up all blocks, but take identity, times and flags from block 0. A block fills whole cache lines,
 * so that no two threads write the same line.
 */
struct nids_agent_counters {
	__u64 pid;		     /* of the parent, 0 while no agent runs */
	__u64 pid_start_ticks;	     /* field 22 of /proc/PID/stat: tells a reused pid */
	__u64 detach_requested;	     /* set by `nids-xdp detach` */
	__u64 degraded;		     /* NIDS_DEGRADED_* */
	struct nids_sum consumed;    /* records taken from the ring, and their bytes */
	__u64 invalid_records;	     /* refused by decode; included in consumed */
	__u64 alerts_by_severity[4]; /* index 1 to 3 */
	__u64 alerts_suppressed;
	struct nids_sum retained;
	struct nids_sum not_kept_by_policy;   /* budget, off or depth reached again in the agent */
	struct nids_sum not_kept_by_error;    /* the disk refused */
	struct nids_sum not_kept_by_overload; /* what writes was too far behind */
	struct nids_sum deleted_by_policy;    /* kept, then removed for newer ones: budget */
	struct nids_sum held;	  /* in memory now, kept if their flow raises an alert in time */
	struct nids_sum written;  /* of retained: the rest is lost where the agent dies */
	__u64 alerts_not_indexed; /* that can't be asked for: no room, or no index */
	__u64 alerts_deleted;	  /* by policy, from the index, for newer ones: retain.max_alerts */
	__u64 store_bytes;	  /* on the disk now, of packets */
	__u64 store_budget_bytes;
	__u64 store_index_bytes;
	__u64 store_oldest_wall_ns; /* of the oldest packet kept; 0: none, or not known */
	__u64 eve_lines;
	__u64 eve_lost;		 /* lines the disk refused */
	__u64 eve_files_removed; /* old ones, for newer ones: eve.keep */
	__u64 flows_tracked;
	__u64 flows_evicted;	      /* from the agent's table, at its cap */
	__u64 suppressions_evicted;   /* before their time: an alert may have come twice */
	__u64 commands;		      /* slots told what to send up */
	__u64 flow_records;	      /* flows told, in EVE and by IPFIX */
	__u64 ipfix_sent;	      /* of them, given to the network */
	__u64 ipfix_lost;	      /* refused, or the collector was not there */
	__u64 slots_waiting;	      /* in the last scan: read again in the next */
	struct nids_sum not_analysed; /* left out by filter or count; in not_kept_by_policy too */
	/* Who the agent is, continued: behind all else, so that the beginning stays as it was. */
	__u64 pid_namespace;	  /* inode of that in which its process ids mean something */
	__u64 reader_pid;	  /* of the process that takes records from the rings */
	__u64 reader_start_ticks; /* as pid_start_ticks */
	__u64 heartbeat_ns;    /* CLOCK_MONOTONIC, of the agent's last housekeeping; 0: none yet */
	__u64 restarts;	       /* of the agent, after it ended by itself or no longer answered */
	__u64 confinement;     /* NIDS_CONFINED_*, of the agent */
	__u64 lines_lost;      /* alerts and messages that nobody read from the terminal */
	__u64 ring_lost_noted; /* records lost by the rings at the agent's last check */
	__u64 ring_lost_ns;    /* CLOCK_MONOTONIC of the last check that found more; 0: never */
	/* Host analysers. */
	__u64 host_flows_merged; /* got by source only: the table of a tick was full */
	__u64 host_flows_lost;	 /* not got: the table of a tick was full */
	__u64 host_alerts_lost;	 /* too many waited */
	__u64 host_evictions;	 /* pairs of hosts, at the cap */
	__u64 sweep_ns; /* duration of the last scan of all flow tables; readers take the longest */
	__u64 reserved[5];
};
NIDS_ABI_SIZE(struct nids_agent_counters, 512);

#define NIDS_CONFINED_CALLS 0x1 /* seccomp: few system calls remain */
#define NIDS_CONFINED_FILES 0x2 /* Landlock: files of the packet directory only */

#define NIDS_DEGRADED_EVE      0x1  /* eve.json can't be written */
#define NIDS_DEGRADED_RETAIN   0x2  /* packets can't be kept */
#define NIDS_DEGRADED_IPFIX    0x4  /* the collector can't be reached */
#define NIDS_DEGRADED_INDEX    0x10 /* kept packets can't be asked for */
#define NIDS_DEGRADED_EVE_FILE 0x8  /* eve.json can't be renamed or opened again */

#endif
