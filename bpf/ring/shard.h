/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which ring a record goes to. Pure: no maps, no helpers. */
#ifndef NIDS_RING_SHARD_H
#define NIDS_RING_SHARD_H

#include "flow/related.h"
#include "nids/abi/shard.h"

/* The ring of a packet without a flow, by its addresses. For a fragment of an unknown datagram the
 * hash includes the identification, so that all fragments of a datagram are in one ring.
 */
static __always_inline __u32 ring_without_flow(const struct nids_packet *p,
					       const struct nids_outer *outer,
					       const volatile __u64 *keys, __u32 rings)
{
	return (datagram_hash(p, outer, keys) >> 32) * rings >> 32;
}

#endif
