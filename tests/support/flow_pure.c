/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "support/flow_pure.h"

#include "flow/cell.h"

__u64 test_flow_hash(const __u64* words, int count, const __u64* keys) {
  return flow_hash((const flow_word*)words, count, keys);
}

enum nids_sender test_flow4_key(const struct nids_packet* packet, struct nids_flow4_key* key) {
  return flow4_key(packet, key);
}

enum nids_sender test_flow6_key(const struct nids_packet* packet, struct nids_flow6_key* key) {
  return flow6_key(packet, key);
}

__u64 test_history_with(__u64 history, __u32 events, __u8 sender) {
  return nids_history_with(history, events, 1 + sender * NIDS_EVENTS_PER_SENDER);
}

int test_remember_opener(struct nids_flow_cell* cell, __u64 hash, __u8 class_id, __u8 flags) {
  return remember_opener(cell, hash, class_id, flags);
}

int test_recall_opener(const struct nids_flow_cell* cell, __u64 hash, __u8* class_id, __u8* flags) {
  return recall_opener(cell, hash, class_id, flags);
}

/* The program reads the word by one load, which C calls a race with the agent's atomic store. */
__attribute__((no_sanitize("thread"))) int test_correct_cell(struct nids_flow_cell* cell,
                                                             __u64 hash, __u8 class_id,
                                                             __u8 opener_flag) {
  return correct_cell(cell, hash, class_id, opener_flag);
}

void test_append_history(struct nids_flow_cell* cell, __u64 hash, __u32 events, __u8 sender) {
  append_history(cell, hash, events, sender);
}

__u64 test_recall_history(const struct nids_flow_cell* cell, __u64 hash) {
  return recall_history(cell, hash);
}
