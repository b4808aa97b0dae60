/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How many bytes of a packet go up, and how much room they get in its record. Pure: no maps, no
 * helpers.
 */
#ifndef NIDS_RING_ROOM_H
#define NIDS_RING_ROOM_H

#include "nids/abi/event.h"
#include "parse/wire.h"

/* A record's size must be a constant; of these, the smallest that fits. With a detail,
 * which is rare, only SMALL, FRAME and the largest, so that there is less code.
 */
#define SNAP_TINY  128
#define SNAP_SMALL 512
#define SNAP_FRAME 2048
#define SNAP_JUMBO 16384

/* How many bytes of a packet go up at most, by why it does. Where it is for its headers, and they
 * were not read to the end, it is as much as of a sample.
 */
static __always_inline __u32 snap_of(__u8 reason, const struct nids_packet *p, __u32 snap_bytes,
				     __u32 sample_bytes)
{
	/* Of a handshake the agent reads the numbers, which may lie behind long headers. */
	if (reason == NIDS_REASON_CAPTURE || reason == NIDS_REASON_INSPECT ||
	    reason == NIDS_REASON_HANDSHAKE)
		return snap_bytes;
	if (reason == NIDS_REASON_HEADERS && p->payload_offset)
		return p->payload_offset < snap_bytes ? p->payload_offset : snap_bytes;
	return sample_bytes;
}

static __always_inline __u32 snap_room(__u32 cap_len, int has_detail)
{
	if (cap_len <= SNAP_TINY && !has_detail)
		return SNAP_TINY;
	if (cap_len <= SNAP_SMALL)
		return SNAP_SMALL;
	if (cap_len <= SNAP_FRAME)
		return SNAP_FRAME;
	return cap_len <= SNAP_JUMBO && !has_detail ? SNAP_JUMBO : NIDS_SNAP_MAX;
}

#endif
