/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The pure functions of bpf/flow that no record shows, for C++ to test: bpf/ is C. */
#ifndef NIDS_TEST_FLOW_PURE_H
#define NIDS_TEST_FLOW_PURE_H

#include "nids/abi/config.h"
#include "nids/abi/flow.h"
#include "nids/abi/packet.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of a packed key: FLOW4_WORDS or FLOW6_WORDS words. */
__u64 test_flow_hash(const __u64* words, int count, const __u64* keys);
enum nids_sender test_flow4_key(const struct nids_packet* packet, struct nids_flow4_key* key);
enum nids_sender test_flow6_key(const struct nids_packet* packet, struct nids_flow6_key* key);

__u64 test_history_with(__u64 history, __u32 events, __u8 sender);
int test_remember_opener(struct nids_flow_cell* cell, __u64 hash, __u8 class_id, __u8 flags);
int test_recall_opener(const struct nids_flow_cell* cell, __u64 hash, __u8* class_id, __u8* flags);
int test_correct_cell(struct nids_flow_cell* cell, __u64 hash, __u8 class_id, __u8 opener_flag);
void test_append_history(struct nids_flow_cell* cell, __u64 hash, __u32 events, __u8 sender);
__u64 test_recall_history(const struct nids_flow_cell* cell, __u64 hash);

#ifdef __cplusplus
}
#endif

#endif
