/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The key in the record of an exported slot. Pure: no maps, no helpers. */
#ifndef NIDS_RING_FLOW_RECORD_H
#define NIDS_RING_FLOW_RECORD_H

#include "flow/slot.h"
#include "nids/abi/event.h"

/* The size of the record of an exported slot: see struct nids_flow6_event. */
static __always_inline __u32 flow_record_bytes(const __u32 words)
{
	return words == FLOW4_WORDS ? sizeof(struct nids_flow_event)
				    : sizeof(struct nids_flow6_event);
}

static __always_inline void fill_flow_key(const flow_word *key, const __u32 words,
					  struct nids_flow_event *record)
{
	if (words == FLOW4_WORDS)
		nids_unpack_flow4((const struct nids_flow4_key *)key, &record->flow.key);
	else
		nids_unpack_slot6((const struct nids_flow6_key *)key,
				  (const struct nids_flow_tunnel *)(key + SLOT_TUNNEL_WORD),
				  &record->flow.key, &((struct nids_flow6_event *)record)->tunnel);
}

#endif
