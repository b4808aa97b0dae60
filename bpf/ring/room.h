/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How much room a packet's bytes get in its record. Pure: no maps, no helpers. */
#ifndef NIDS_RING_ROOM_H
#define NIDS_RING_ROOM_H

#include "nids/abi/event.h"
#include "parse/wire.h"

/* A record's size must be a constant; of these, the smallest that fits. */
#define SNAP_SMALL 256
#define SNAP_FRAME 2048
#define SNAP_JUMBO 16384

/* The same, where it need not be a constant. */
static __always_inline __u32 snap_room(__u32 cap_len)
{
	if (cap_len <= SNAP_SMALL)
		return SNAP_SMALL;
	if (cap_len <= SNAP_FRAME)
		return SNAP_FRAME;
	return cap_len <= SNAP_JUMBO ? SNAP_JUMBO : NIDS_SNAP_MAX;
}

#endif
