/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "net/flow_slot.h"

#include "flow/cell.h"

static int has_key(const flow_word* slot, const __u32 words, const struct nids_flow_key* key,
                   const struct nids_flow_tunnel* tunnel) {
  struct nids_flow4_key key4;
  struct nids_extended_key key6;

  if (words == FLOW4_WORDS) {
    nids_pack_flow4(key, &key4);
    return slot_key_equal(slot, (const flow_word*)&key4, FLOW4_WORDS);
  }
  if (!nids_has_extended_key(key)) {
    nids_pack_flow6(key, &key6.inner);
    return slot_key_equal(slot, (const flow_word*)&key6, FLOW6_WORDS);
  }
  nids_pack_extended(key, tunnel, &key6);
  return slot_key_equal(slot, (const flow_word*)&key6, EXTENDED_WORDS);
}

int nids_slot4_has_key(const struct nids_flow4* slot, const struct nids_flow_key* key) {
  return has_key((const flow_word*)slot, FLOW4_WORDS, key, NULL);
}

int nids_slot6_has_key(const struct nids_flow6* slot, const struct nids_flow_key* key,
                       const struct nids_flow_tunnel* tunnel) {
  return has_key((const flow_word*)slot, FLOW6_WORDS, key, tunnel);
}

__u64 nids_cell_history(const struct nids_flow_cell* cells, __u32 cell_bits, __u64 hash) {
  return recall_history(&cells[cell_index(hash, cell_bits)], hash);
}

void nids_cell_raise(struct nids_flow_cell* cells, __u32 cell_bits, __u64 hash, __u8 word) {
  __u64* opener = &cells[cell_index(hash, cell_bits)].opener;
  __u64 before = __atomic_load_n(opener, __ATOMIC_RELAXED), after;

  /* Another flow may take the cell meanwhile. */
  do {
    if ((before ^ cell_tag(hash)) & CELL_OPENER_TAG) return;
    after = (before & ~((__u64)NIDS_FLOW_RAISED << CELL_FLAGS_SHIFT)) | (__u64)raised_flags(word)
                                                                            << CELL_FLAGS_SHIFT;
  } while (
      !__atomic_compare_exchange_n(opener, &before, after, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}
