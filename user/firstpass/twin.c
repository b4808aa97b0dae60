// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "firstpass/twin.h"

#include <string.h>

static int twin_export(struct nids_twin* twin, const struct nids_flow_slot* slot);
#define export_flow(host, slot) twin_export(host, slot)

#include "first_pass.h"
#include "parse/parse.h"
#include "ring/room.h"

static void send_up(struct nids_twin* twin, enum nids_record_kind kind, size_t bytes) {
  struct nids_event event = {.ktime_ns = twin->now_ns,
                             .abi_version = NIDS_ABI_VERSION,
                             .kind = kind,
                             .direction = NIDS_INGRESS};

  memcpy(twin->record, &event, sizeof(event));
  add_sum(&twin->counters.ring_offered, 1, bytes);
  twin->sink(twin->context, twin->record, bytes);
}

static int twin_export(struct nids_twin* twin, const struct nids_flow_slot* slot) {
  memcpy(twin->record + sizeof(struct nids_event), slot, sizeof(*slot));
  send_up(twin, NIDS_RECORD_FLOW_EXPORT, sizeof(struct nids_flow_event));
  return 1;
}

static void send_packet(struct nids_twin* twin, const struct nids_twin_frame* frame,
                        const struct nids_packet* packet, struct first_pass_verdict verdict) {
  struct nids_packet_event head = {.packet = *packet,
                                   .wire_len = frame->wire_len,
                                   .wire_packets = 1,
                                   .frame_len = frame->wire_len,
                                   .cap_len = frame->captured_len,
                                   .class_id = verdict.class_id,
                                   .from_opener = verdict.from_opener};

  if (head.cap_len > twin->snap_bytes) head.cap_len = twin->snap_bytes;
  memcpy(twin->record, &head, sizeof(head));
  memcpy(twin->record + sizeof(head), frame->bytes, head.cap_len);
  send_up(twin, NIDS_RECORD_PACKET, sizeof(head) + snap_room(head.cap_len));
}

void nids_twin_parse(const struct nids_twin_frame* frame, struct nids_packet* packet) {
  const __u8* bytes = frame->bytes;
  struct cursor cursor = {
      .pos = bytes, .end = bytes + frame->captured_len, .wire_len = frame->wire_len};

  memset(packet, 0, sizeof(*packet));
  if (frame->is_ethernet) {
    packet->result = parse_frame(&cursor, packet);
    return;
  }
  packet->ether_type = frame->ether_type;
  cursor_skip(&cursor, frame->l3_offset);
  packet->result = parse_network(&cursor, packet);
}

enum nids_sender nids_twin_flow_key(const struct nids_packet* packet, struct nids_flow_key* key) {
  memset(key, 0, sizeof(*key));
  return flow_key(packet, key);
}

void nids_twin_packet(struct nids_twin* twin, const struct nids_twin_frame* frame) {
  struct nids_packet packet;
  struct first_pass_frame facts = {.frame_len = frame->wire_len,
                                   .wire_len = frame->wire_len,
                                   .wire_packets = 1,
                                   .direction = NIDS_INGRESS};

  twin->now_ns = frame->time_ns;
  stats_start(&twin->counters);
  nids_twin_parse(frame, &packet);
  stats_packet(&twin->counters, &packet, &facts);
  if (packet.flags & NIDS_PACKET_IS_FLOW) {
    struct nids_flow_key key = {};
    enum nids_sender sender = flow_key(&packet, &key);
    __u64 hash = flow_hash(&key, twin->hash_seed);
    struct first_pass_tables tables = {
        .counters = &twin->counters,
        .set = &twin->sets[hash >> 32 & (twin->set_count - 1)],
        .ports = &twin->ports,
        .openers = &twin->openers,
        .classes = twin->classes,
        .now_ns = frame->time_ns,
        .host = twin,
    };
    struct first_pass_verdict verdict = account_flow(&tables, &packet, &key, hash, sender, &facts);

    if (verdict.class_id) send_packet(twin, frame, &packet, verdict);
  } else {
    add_sum(&twin->counters.no_flow, 1, frame->wire_len);
  }
  stats_finish(&twin->counters);
}
