// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "firstpass/twin.h"

#include <string.h>

struct flow_packet;
struct slot_place;
static int twin_export(struct nids_twin* twin, const struct flow_packet* f,
                       const struct slot_place* place, enum nids_export cause);
static struct nids_flow_cell* twin_cell(struct nids_twin* twin, __u64 hash);
#define export_flow(t, f, place, cause) twin_export((t)->host, f, place, cause)
#define flow_cell(t, hash) twin_cell((t)->host, hash)

#include "first_pass.h"
#include "net/flow_key.h"
#include "net/flow_slot.h"
#include "parse/detail.h"
#include "ring/flow_record.h"
#include "ring/room.h"
#include "ring/shard.h"

#define SECOND_NS 1000000000ull
#define MAX_WINDOW_TICKS 0x7fffffffull /* ticks wrap */

_Static_assert(NIDS_TWIN_DATAGRAMS == 1 << NIDS_DATAGRAM_BITS, "one size");

static struct nids_flow_cell* twin_cell(struct nids_twin* twin, __u64 hash) {
  return &twin->cells[cell_index(hash, twin->cell_bits)];
}

/* The length of the key in words determines the table of the flow. */
static __u32 sets_of(const struct nids_twin* twin, __u32 words) {
  return words == FLOW4_WORDS ? twin->set4_count : twin->set6_count;
}

static __u32 set_of(const struct nids_twin* twin, __u64 hash, __u32 words) {
  return hash >> 32 & (sets_of(twin, words) - 1);
}

static __u32 now_ticks(const struct nids_twin* twin) { return twin->now_ns / twin->tick_ns; }

static struct nids_event event_of(const struct nids_twin* twin, enum nids_record_kind kind) {
  return (struct nids_event){.ktime_ns = twin->now_ns,
                             .abi_version = NIDS_ABI_VERSION,
                             .kind = kind,
                             .direction = NIDS_INGRESS};
}

static void send_up(struct nids_twin* twin, __u32 ring, const void* record, size_t bytes) {
  add_sum(&twin->counters.ring_offered, 1, bytes);
  twin->ring = ring;
  twin->sink(twin->context, record, bytes);
}

static int twin_export(struct nids_twin* twin, const struct flow_packet* f,
                       const struct slot_place* place, enum nids_export cause) {
  struct nids_flow6_event record = {.flow = {.event = event_of(twin, NIDS_RECORD_FLOW_EXPORT),
                                             .now_ticks = now_ticks(twin),
                                             .tick_ns = twin->tick_ns,
                                             .cause = cause}};
  const __u64 hash = slot_hash(place->key, f->words, twin->hash_keys);

  record.flow.set = set_of(twin, hash, f->words);
  fill_flow_key(place->key, f->words, &record.flow);
  record.flow.flow.state = *place->state;
  record.flow.flow.history = recall_history(twin_cell(twin, hash), hash);
  send_up(twin, nids_ring_of_set(record.flow.set, sets_of(twin, f->words), twin->ring_count),
          &record, flow_record_bytes(f->words));
  return 1;
}

static struct cursor cursor_of(const struct nids_twin_frame* frame) {
  const __u8* bytes = frame->bytes;
  return (struct cursor){.base = bytes,
                         .end = bytes + frame->captured_len,
                         .wire_len = frame->wire_len,
                         .offset = frame->is_ethernet ? 0 : frame->l3_offset,
                         .reading = WHOLE,
                         .zero_means_rest = frame->zero_means_rest};
}

static void parse_whole(const struct nids_twin_frame* frame, struct nids_packet* packet,
                        struct nids_outer* outer) {
  struct cursor cursor = cursor_of(frame);

  memset(packet, 0, sizeof(*packet));
  packet->ether_type = frame->ether_type;
  packet->result = parse_frame(&cursor, packet, outer, frame->is_ethernet);
}

static void read_detail(const struct nids_twin_frame* frame, const struct nids_packet* packet,
                        struct nids_packet_detail* detail) {
  struct cursor cursor = cursor_of(frame);

  parse_detail(&cursor, packet, 0, detail);
}

static void send_packet(struct nids_twin* twin, const struct nids_twin_frame* frame,
                        const struct nids_packet* packet, struct nids_packet_detail* detail,
                        const struct nids_packet_event* head, __u32 ring) {
  __u32 snap = snap_of(head->reason, packet, twin->snap_bytes, twin->sample_bytes);
  struct nids_packet_event* record = (void*)twin->record;
  __u8* behind = twin->record + sizeof(*record);

  *record = *head;
  record->cap_len = frame->captured_len < snap ? frame->captured_len : snap;
  if (has_detail(packet)) {
    read_detail(frame, packet, detail);
    memcpy(behind, detail, sizeof(*detail));
    record->detail_len = sizeof(*detail);
    behind += sizeof(*detail);
  }
  memcpy(behind, frame->bytes, record->cap_len);
  send_up(twin, ring, record,
          (size_t)(behind - twin->record) + snap_room(record->cap_len, record->detail_len != 0));
}

void nids_twin_parse(const struct nids_twin_frame* frame, struct nids_packet* packet,
                     struct nids_packet_detail* detail) {
  struct nids_packet_detail unused;

  if (!detail) detail = &unused;
  memset(detail, 0, sizeof(*detail));
  parse_whole(frame, packet, &detail->outer);
  if (has_detail(packet)) read_detail(frame, packet, detail);
}

__u32 nids_twin_findings(const struct nids_packet* packet) { return findings_of(packet); }

/* A packet's key, packed, and what its flow sees of it. */
struct keyed {
  struct nids_flow4_key key4;
  struct nids_extended_key key6;
  struct flow_packet flow;
};

static void find_key(const struct nids_twin* twin, const struct nids_packet* packet,
                     const struct nids_outer* outer, const struct first_pass_frame* facts,
                     struct keyed* k) {
  if (has_extended_key(packet)) {
    k->flow = flow_packet_of(packet, facts, extended_key(packet, outer, &k->key6));
    k->flow.key = (const flow_word*)&k->key6;
    k->flow.words = EXTENDED_WORDS;
    k->flow.hash = extended_hash(&k->key6, twin->hash_keys);
  } else if (packet->ip_version == 4) {
    k->flow = flow_packet_of(packet, facts, flow4_key(packet, &k->key4));
    k->flow.key = (const flow_word*)&k->key4;
    k->flow.words = FLOW4_WORDS;
    k->flow.hash = flow4_hash(&k->key4, twin->hash_keys);
  } else {
    k->flow = flow_packet_of(packet, facts, flow6_key(packet, &k->key6.inner));
    k->flow.key = (const flow_word*)&k->key6;
    k->flow.words = FLOW6_WORDS;
    k->flow.hash = flow6_hash(&k->key6.inner, twin->hash_keys);
  }
}

/* The same for the flow that it belongs to. */
static void find_flow(struct nids_twin* twin, struct nids_packet* packet,
                      const struct nids_packet_detail* detail, const struct first_pass_frame* facts,
                      struct keyed* k) {
  struct nids_packet answer;

  if (answer_to_embedded(packet, &detail->embedded, &answer)) {
    find_key(twin, &answer, &detail->outer, facts, k);
    if (cell_is_of(twin_cell(twin, k->flow.hash), k->flow.hash)) {
      packet->flags |= NIDS_PACKET_IS_RELATED;
      return;
    }
  }
  find_key(twin, packet, &detail->outer, facts, k);
}

static void relate_fragment(struct nids_twin* twin, struct nids_packet* packet,
                            const struct nids_outer* outer) {
  __u64 hash = datagram_hash(packet, outer, twin->hash_keys);
  __u64* datagram = &twin->datagrams[datagram_index(hash)];
  __u32 now_s = now_ticks(twin) / (SECOND_NS / twin->tick_ns);

  if (packet->result == NIDS_PARSE_LATER_FRAGMENT)
    recall_datagram(datagram, hash, packet, now_s);
  else if (packet->flags & NIDS_PACKET_FIRST_FRAGMENT && packet->flags & NIDS_PACKET_IS_FLOW)
    twin->counters.fragments_replaced += remember_datagram(datagram, hash, packet, now_s);
}

static struct first_pass_verdict account(struct nids_twin* twin, struct nids_packet* packet,
                                         const struct nids_packet_detail* detail,
                                         const struct first_pass_frame* facts,
                                         struct nids_slot_address* slot, __u32* ring) {
  const __u32 idle_ticks = NIDS_IDLE_NS / twin->tick_ns;
  struct first_pass_tables tables = {.counters = &twin->counters,
                                     .ports = &twin->ports,
                                     .classes = twin->classes,
                                     .features = twin->features,
                                     .now_ticks = now_ticks(twin),
                                     .idle_ticks = &idle_ticks,
                                     .host = twin};
  struct first_pass_verdict verdict;
  struct keyed k;

  find_flow(twin, packet, detail, facts, &k);
  slot->set = set_of(twin, k.flow.hash, k.flow.words);
  *ring = nids_ring_of_set(slot->set, sets_of(twin, k.flow.words), twin->ring_count);
  if (k.flow.words == FLOW4_WORDS)
    tables.set = &twin->sets4[slot->set];
  else
    tables.set = &twin->sets6[slot->set];
  verdict = account_flow(&tables, &k.flow);
  slot->generation = verdict.generation;
  return verdict;
}

static void judge(struct nids_twin* twin, const struct nids_packet* packet, __u32 findings,
                  const struct first_pass_frame* facts, struct first_pass_verdict* verdict) {
  const __u64 window_ticks = twin->sample_window_ns / twin->tick_ns;
  struct finding_tables tables = {
      .counters = &twin->counters,
      .budgets = twin->budgets,
      .buckets = &twin->samples,
      .now_ticks = now_ticks(twin),
      .second_ticks = SECOND_NS / twin->tick_ns,
      .window_ticks = window_ticks < MAX_WINDOW_TICKS ? window_ticks : MAX_WINDOW_TICKS};

  if (findings && judge_findings(&tables, findings, facts->wire_packets, facts->wire_len,
                                 !verdict->goes_up && !verdict->is_bypassed,
                                 sender_hash(packet, twin->hash_keys))) {
    verdict->goes_up = 1;
    verdict->reason = NIDS_REASON_FINDING;
  }
}

void nids_twin_packet(struct nids_twin* twin, const struct nids_twin_frame* frame) {
  struct nids_packet packet;
  struct nids_packet_detail detail = {};
  struct nids_slot_address slot = {};
  struct first_pass_verdict verdict = {.from_opener = 1};
  struct first_pass_frame facts = {.frame_len = frame->wire_len,
                                   .wire_len = frame->wire_len,
                                   .wire_packets = 1,
                                   .direction = NIDS_INGRESS};
  __u32 findings, ring = 0;

  twin->now_ns = frame->time_ns;
  stats_start(&twin->counters);
  parse_whole(frame, &packet, &detail.outer);
  stats_packet(&twin->counters, &packet, &facts);
  relate_fragment(twin, &packet, &detail.outer);
  if (packet.flags & NIDS_PACKET_IS_ICMP_ERROR) read_detail(frame, &packet, &detail);
  if (packet.flags & NIDS_PACKET_IS_FLOW)
    verdict = account(twin, &packet, &detail, &facts, &slot, &ring);
  else
    add_sum(&twin->counters.no_flow, 1, frame->wire_len);
  findings = twin->features & NIDS_FEATURE_FINDINGS ? findings_of(&packet) : 0;
  judge(twin, &packet, findings, &facts, &verdict);
  if (verdict.goes_up) {
    struct nids_packet_event head = {.event = event_of(twin, NIDS_RECORD_PACKET),
                                     .packet = packet,
                                     .slot = slot,
                                     .wire_len = frame->wire_len,
                                     .wire_packets = 1,
                                     .frame_len = frame->wire_len,
                                     .findings = findings,
                                     .class_id = verdict.class_id,
                                     .other_class = verdict.other_class,
                                     .from_opener = verdict.from_opener,
                                     .reason = verdict.reason};
    if (!(packet.flags & NIDS_PACKET_IS_FLOW))
      ring = ring_without_flow(&packet, &detail.outer, twin->hash_keys, twin->ring_count);
    send_packet(twin, frame, &packet, &detail, &head, ring);
  }
  stats_finish(&twin->counters);
}

static __u32 command(struct nids_flow_state* state, int is_of_flow, __u8 word) {
  /* A slot that was never used is all zero, and so may be a key. */
  if (state->generation == 0 || !is_of_flow) return 0;
  const __u32 reported = has_command(state) ? state->command & NIDS_COMMAND_REPORTED : 0;
  state->command = state->generation << NIDS_COMMAND_BITS | reported | (word & NIDS_COMMAND_WORD);
  return 1;
}

__u32 nids_twin_command(struct nids_twin* twin, const struct nids_flow_key* key,
                        const struct nids_flow_tunnel* tunnel, __u32 set, __u8 word) {
  const int is_table4 = nids_is_in_table4(key);
  __u32 told = 0;

  if (set >= (is_table4 ? twin->set4_count : twin->set6_count)) return 0;
  nids_cell_raise(twin->cells, twin->cell_bits, nids_flow_hash_of(key, tunnel, twin->hash_keys),
                  word);
  for (int way = 0; way < NIDS_WAYS; way++) {
    if (is_table4) {
      struct nids_flow4* slot = &twin->sets4[set].way[way];

      told += command(&slot->state, nids_slot4_has_key(slot, key), word);
    } else {
      struct nids_flow6* slot = &twin->sets6[set].way[way];

      told += command(&slot->state, nids_slot6_has_key(slot, key, tunnel), word);
    }
  }
  return told;
}
