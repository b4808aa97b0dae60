/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The stages between parse and ring over one CPU's tables, the same for the
 * kernel's programs and their native twin. Pure over the pointers given: the
 * one thing that differs, sending a record up, is `export_flow`, a macro that
 * the includer defines before it includes this header.
 */
#ifndef NIDS_FIRST_PASS_H
#define NIDS_FIRST_PASS_H

#include "classify/opener.h"
#include "flow/slot.h"
#include "nids/abi/event.h"
#include "stats.h"

#ifndef export_flow
#error "define export_flow(host, slot): non-zero where the victim's record went up"
#endif

/* A GSO packet stands for segments that each repeat its headers. Senders that the
 * kernel does not trust (virtio, tun) leave the number of segments open.
 */
struct gso {
	__u32 segments;
	__u32 segment_len; /* bytes of payload; 0: one packet on the wire */
};

static __always_inline void expand_gso(struct first_pass_frame *f, const struct nids_packet *p,
				       struct gso gso)
{
	__u32 segments = gso.segments;

	f->wire_packets = 1;
	f->wire_len = f->frame_len;
	f->segment_len = 0;
	if (gso.segment_len == 0 || !p->payload_offset)
		return;
	if (segments == 0)
		segments = (p->payload_len + gso.segment_len - 1) / gso.segment_len;
	if (segments < 2)
		return;
	f->wire_packets = segments;
	f->segment_len = gso.segment_len;
	f->wire_len += (segments - 1) * p->payload_offset;
}

/* What the stages work on. */
struct first_pass_tables {
	struct nids_counters *counters;
	struct nids_flow_set *set; /* of this flow, on this CPU */
	const struct nids_port_classes *ports;
	struct nids_openers *openers;
	const struct nids_class *classes; /* NIDS_CLASS_MAX of them */
	__u64 now_ns;			  /* monotonic, a jiffy fine */
	void *host;			  /* for export_flow */
};

/* Where the packet goes: `class_id` 0, nowhere. */
struct first_pass_verdict {
	__u8 class_id;
	__u8 from_opener;
};

/* The class of a flow that has no slot on this CPU. Returns whether no CPU has seen
 * it before: one CPU alone can tell neither the opener from its peer nor a new
 * flow from one that has come over from another CPU.
 */
static __always_inline int choose_class(const struct first_pass_tables *t,
					const struct nids_packet *p, __u64 hash, __u8 sender,
					struct nids_class_choice *choice)
{
	*choice = classify(t->ports, p, sender);
	if (!choice->class_id && !is_ambiguous(t->ports, p))
		return 1;
	/* A SYN begins a flow, whatever the same ports did before on another CPU. */
	if (!is_opening_syn(p) && recall_opener(t->openers, hash, choice))
		return 0;
	t->counters->openers_replaced += remember_opener(t->openers, hash, *choice);
	return 1;
}

/* Makes room for a new flow: the victim's record goes up before it is replaced.
 * Returns 0 where the ring has no room for it; the victim stays then.
 */
static __always_inline int make_room(const struct first_pass_tables *t, struct slot_place place)
{
	if (place.search == SLOT_VICTIM) {
		if (!export_flow(t->host, place.slot))
			return 0;
		stats_export(t->counters, place.slot);
	}
	t->counters->flows_created += 1;
	return 1;
}

/* Bytes below the class's depth go up; the rest is left out by policy. */
static __always_inline int is_wanted(const struct first_pass_tables *t, __u8 class_id,
				     __u64 bytes_before, const struct first_pass_frame *f)
{
	const struct nids_class *wanted = &t->classes[class_index(class_id)];

	if (class_id == 0 || wanted->interest != NIDS_INTEREST_CAPTURE)
		return 0;
	if (bytes_before < wanted->depth_bytes)
		return 1;
	add_sum(&t->counters->beyond_depth, f->wire_packets, f->wire_len);
	return 0;
}

/* classify and flow, for a packet that has a flow. */
static __always_inline struct first_pass_verdict account_flow(const struct first_pass_tables *t,
							      const struct nids_packet *p,
							      const struct nids_flow_key *key,
							      __u64 hash, enum nids_sender sender,
							      const struct first_pass_frame *f)
{
	struct first_pass_verdict verdict = {};
	struct slot_place place = find_slot(t->set, key, flow_tag(hash));
	struct nids_class_choice choice;
	__u64 bytes_before = 0;
	int is_new = 0;

	if (place.search == SLOT_FOUND) {
		choice.class_id = place.slot->class_id;
		choice.opener = place.slot->opener;
		/* The old flow leaves like a victim; where it can't, its slot counts on. */
		if (begins_anew(place.slot, p, t->now_ns) && export_flow(t->host, place.slot)) {
			stats_export(t->counters, place.slot);
			place.search = SLOT_FREE;
			/* A SYN tells who opens; without TCP the same ports mean the same. */
			is_new =
			    p->l4_proto != PROTO_TCP || choose_class(t, p, hash, sender, &choice);
		}
	} else {
		is_new = choose_class(t, p, hash, sender, &choice);
	}
	if (place.search != SLOT_FOUND) {
		if (make_room(t, place))
			open_slot(place.slot, key, flow_tag(hash), choice, t->now_ns);
		else
			place.slot = 0;
	}
	if (place.slot) {
		bytes_before = count_in_slot(place.slot, sender, f->wire_packets, f->wire_len,
					     p->tcp_flags, t->now_ns);
		add_sum(&t->counters->live, f->wire_packets, f->wire_len);
	} else {
		add_sum(&t->counters->unaccounted, f->wire_packets, f->wire_len);
	}
	verdict.from_opener = choice.opener == sender;
	stats_class(t->counters, choice.class_id, f->wire_packets, f->wire_len,
		    is_new && place.slot && verdict.from_opener);
	if (is_wanted(t, choice.class_id, bytes_before, f))
		verdict.class_id = choice.class_id;
	return verdict;
}

#endif
