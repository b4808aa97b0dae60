/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The key and the hash of a flow, computed by the same source as in the kernel. Has no state. */
#ifndef NIDS_NET_FLOW_KEY_H
#define NIDS_NET_FLOW_KEY_H

#include "nids/abi/config.h"
#include "nids/abi/flow.h"
#include "nids/abi/packet.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Returns the sender; writes all of `key` and `tunnel`, the canonical key of the packet's flow. */
enum nids_sender nids_flow_key_of(const struct nids_packet* packet,
                                  const struct nids_packet_detail* detail,
                                  struct nids_flow_key* key, struct nids_flow_tunnel* tunnel);

/* `tunnel` completes the key. `hash_keys`: NIDS_HASH_KEYS of them. */
__u64 nids_flow_hash_of(const struct nids_flow_key* key, const struct nids_flow_tunnel* tunnel,
                        const __u64* hash_keys);

#ifdef __cplusplus
}
#endif

#endif
