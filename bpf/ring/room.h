/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How much room a packet's bytes get in its record. Pure: no maps, no helpers. */
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
