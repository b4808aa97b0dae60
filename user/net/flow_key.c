/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "net/flow_key.h"

#include <string.h>

#include "flow/related.h"

enum nids_sender nids_flow_key_of(const struct nids_packet* packet,
                                  const struct nids_packet_detail* detail,
                                  struct nids_flow_key* key, struct nids_flow_tunnel* tunnel) {
  struct nids_packet answer;
  struct nids_flow4_key key4;
  struct nids_extended_key key6;
  enum nids_sender sender;

  memset(key, 0, sizeof(*key));
  memset(tunnel, 0, sizeof(*tunnel));
  if (packet->flags & NIDS_PACKET_IS_RELATED &&
      answer_to_embedded(packet, &detail->embedded, &answer))
    packet = &answer;
  if (has_extended_key(packet)) {
    sender = extended_key(packet, &detail->outer, &key6);
    nids_unpack_slot6(&key6.inner, &key6.tunnel, key, tunnel);
  } else if (packet->ip_version == 4) {
    sender = flow4_key(packet, &key4);
    nids_unpack_flow4(&key4, key);
  } else {
    sender = flow6_key(packet, &key6.inner);
    nids_unpack_flow6(&key6.inner, key);
  }
  return sender;
}

__u64 nids_flow_hash_of(const struct nids_flow_key* key, const struct nids_flow_tunnel* tunnel,
                        const __u64* hash_keys) {
  struct nids_flow4_key key4;
  struct nids_extended_key key6;

  if (nids_has_extended_key(key)) {
    nids_pack_extended(key, tunnel, &key6);
    return extended_hash(&key6, hash_keys);
  }
  if (key->ip_version == 4) {
    nids_pack_flow4(key, &key4);
    return flow4_hash(&key4, hash_keys);
  }
  nids_pack_flow6(key, &key6.inner);
  return flow6_hash(&key6.inner, hash_keys);
}
