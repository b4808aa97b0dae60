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
#include "parse/detail.h"
#include "ring/room.h"

#define IDLE_NS 60000000000ull /* as user/kernel/object.cpp has it */
#define SECOND_NS 1000000000ull

_Static_assert(sizeof(struct nids_twin_budget) == sizeof(struct finding_budget), "one layout");

static struct nids_flow_cell* twin_cell(struct nids_twin* twin, __u64 hash) {
  return &twin->cells[cell_index(hash, twin->cell_bits)];
}

static __u32 now_ticks(const struct nids_twin* twin) { return twin->now_ns / twin->tick_ns; }

static struct nids_event event_of(const struct nids_twin* twin, enum nids_record_kind kind) {
  return (struct nids_event){.ktime_ns = twin->now_ns,
                             .abi_version = NIDS_ABI_VERSION,
                             .kind = kind,
                             .direction = NIDS_INGRESS};
}

static void send_up(struct nids_twin* twin, const void* record, size_t bytes) {
  add_sum(&twin->counters.ring_offered, 1, bytes);
  twin->sink(twin->context, record, bytes);
}

static int twin_export(struct nids_twin* twin, const struct flow_packet* f,
                       const struct slot_place* place, enum nids_export cause) {
  struct nids_flow_event record = {.event = event_of(twin, NIDS_RECORD_FLOW_EXPORT),
                                   .now_ticks = now_ticks(twin),
                                   .tick_ns = twin->tick_ns,
                                   .cause = cause};
  __u64 hash = flow_hash(place->key, f->words, twin->hash_keys);

  if (f->words == FLOW4_WORDS)
    unpack_flow4_key((const struct nids_flow4_key*)place->key, &record.flow.key);
  else
    unpack_flow6_key((const struct nids_flow6_key*)place->key, &record.flow.key);
  record.flow.state = *place->state;
  record.flow.history = recall_history(twin_cell(twin, hash), hash);
  send_up(twin, &record, sizeof(record));
  return 1;
}

static struct cursor cursor_of(const struct nids_twin_frame* frame) {
  const __u8* bytes = frame->bytes;
  return (struct cursor){.base = bytes,
                         .end = bytes + frame->captured_len,
                         .wire_len = frame->wire_len,
                         .offset = frame->is_ethernet ? 0 : frame->l3_offset,
                         .reading = WHOLE};
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
                        const struct nids_packet_event* head) {
  __u32 snap = head->reason == NIDS_REASON_CAPTURE || head->reason == NIDS_REASON_INSPECT
                   ? twin->snap_bytes
                   : twin->sample_bytes;
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
  send_up(twin, record,
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

enum nids_sender nids_twin_flow_key(const struct nids_packet* packet, struct nids_flow_key* key) {
  struct nids_flow4_key key4;
  struct nids_flow6_key key6;
  enum nids_sender sender;

  memset(key, 0, sizeof(*key));
  if (packet->ip_version == 4) {
    sender = flow4_key(packet, &key4);
    unpack_flow4_key(&key4, key);
  } else {
    sender = flow6_key(packet, &key6);
    unpack_flow6_key(&key6, key);
  }
  return sender;
}

static struct first_pass_verdict account(struct nids_twin* twin, const struct nids_packet* packet,
                                         const struct first_pass_frame* facts,
                                         struct nids_slot_address* slot) {
  const __u32 idle_ticks = IDLE_NS / twin->tick_ns;
  struct first_pass_tables tables = {.counters = &twin->counters,
                                     .ports = &twin->ports,
                                     .classes = twin->classes,
                                     .features = twin->features,
                                     .now_ticks = now_ticks(twin),
                                     .idle_ticks = &idle_ticks,
                                     .host = twin};
  struct nids_flow4_key key4;
  struct nids_flow6_key key6;
  struct flow_packet f;
  struct first_pass_verdict verdict;

  if (packet->ip_version == 4) {
    f = flow_packet_of(packet, facts, flow4_key(packet, &key4));
    f.key = (const flow_word*)&key4;
    f.words = FLOW4_WORDS;
    f.hash = flow4_hash(&key4, twin->hash_keys);
    slot->set = f.hash >> 32 & (twin->set4_count - 1);
    tables.set = &twin->sets4[slot->set];
  } else {
    f = flow_packet_of(packet, facts, flow6_key(packet, &key6));
    f.key = (const flow_word*)&key6;
    f.words = FLOW6_WORDS;
    f.hash = flow6_hash(&key6, twin->hash_keys);
    slot->set = f.hash >> 32 & (twin->set6_count - 1);
    tables.set = &twin->sets6[slot->set];
  }
  verdict = account_flow(&tables, &f);
  slot->generation = verdict.generation;
  return verdict;
}

static void judge(struct nids_twin* twin, __u32 findings, const struct first_pass_frame* facts,
                  struct first_pass_verdict* verdict) {
  struct finding_tables tables = {.counters = &twin->counters,
                                  .budgets = (struct finding_budget*)twin->budgets,
                                  .now_ticks = now_ticks(twin),
                                  .second_ticks = SECOND_NS / twin->tick_ns};

  if (findings && judge_findings(&tables, findings, facts->wire_packets, facts->wire_len,
                                 !verdict->goes_up && !verdict->is_bypassed)) {
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
  __u32 findings;

  twin->now_ns = frame->time_ns;
  stats_start(&twin->counters);
  parse_whole(frame, &packet, &detail.outer);
  stats_packet(&twin->counters, &packet, &facts);
  findings = twin->features & NIDS_FEATURE_FINDINGS ? findings_of(&packet) : 0;
  if (packet.flags & NIDS_PACKET_IS_FLOW)
    verdict = account(twin, &packet, &facts, &slot);
  else
    add_sum(&twin->counters.no_flow, 1, frame->wire_len);
  judge(twin, findings, &facts, &verdict);
  if (verdict.goes_up) {
    struct nids_packet_event head = {.event = event_of(twin, NIDS_RECORD_PACKET),
                                     .packet = packet,
                                     .slot = slot,
                                     .wire_len = frame->wire_len,
                                     .wire_packets = 1,
                                     .frame_len = frame->wire_len,
                                     .findings = findings,
                                     .class_id = verdict.class_id,
                                     .from_opener = verdict.from_opener,
                                     .reason = verdict.reason};
    send_packet(twin, frame, &packet, &detail, &head);
  }
  stats_finish(&twin->counters);
}

static __u32 command(struct nids_flow_state* state, const struct nids_flow_key* known,
                     const struct nids_flow_key* key, enum nids_interest interest) {
  /* A slot that was never used is all zero, and so may be a key. */
  if (state->generation == 0 || memcmp(known, key, sizeof(*known)) != 0) return 0;
  state->command = state->generation << NIDS_COMMAND_BITS | interest;
  return 1;
}

__u32 nids_twin_command(struct nids_twin* twin, const struct nids_flow_key* key, __u32 set,
                        enum nids_interest interest) {
  const int is_ipv4 = key->ip_version == 4;
  __u32 told = 0;

  if (set >= (is_ipv4 ? twin->set4_count : twin->set6_count)) return 0;
  for (int way = 0; way < NIDS_WAYS; way++) {
    struct nids_flow_key known = {};

    if (is_ipv4) {
      struct nids_flow4* slot = &twin->sets4[set].way[way];

      unpack_flow4_key(&slot->key, &known);
      told += command(&slot->state, &known, key, interest);
    } else {
      struct nids_flow6* slot = &twin->sets6[set].way[way];

      unpack_flow6_key(&slot->key, &known);
      told += command(&slot->state, &known, key, interest);
    }
  }
  return told;
}
