/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reads slots and cells of the flow tables, and sets the flags of a cell. Owns no table. */
#ifndef NIDS_NET_FLOW_SLOT_H
#define NIDS_NET_FLOW_SLOT_H

#include "nids/abi/flow.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Returns whether the slot holds this key. `tunnel` completes the key. */
int nids_slot4_has_key(const struct nids_flow4* slot, const struct nids_flow_key* key);
int nids_slot6_has_key(const struct nids_flow6* slot, const struct nids_flow_key* key,
                       const struct nids_flow_tunnel* tunnel);

/* Returns the history of the flow with this hash, or 0 if the cell belongs to another flow. */
__u64 nids_cell_history(const struct nids_flow_cell* cells, __u32 cell_bits, __u64 hash);

/* Sets the flags of the command `word` in the flow's cell, for CPUs that have no slot of the
 * flow yet. Does nothing if the cell belongs to another flow.
 */
void nids_cell_raise(struct nids_flow_cell* cells, __u32 cell_bits, __u64 hash, __u8 word);

#ifdef __cplusplus
}
#endif

#endif
