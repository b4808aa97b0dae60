/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The stages between parse and ring over one CPU's tables, the same for the
 * kernel's programs and their native twin. Pure over the pointers given: what
 * differs is reached by two macros, which the includer defines before.
 */
#ifndef NIDS_FIRST_PASS_H
#define NIDS_FIRST_PASS_H

#include "classify/classify.h"
#include "classify/finding.h"
#include "flow/cell.h"
#include "nids/abi/event.h"
#include "stats.h"

#ifndef export_flow
#error "define export_flow(host, flow_packet, place, cause): non-zero where the record went up"
#endif
#ifndef flow_cell
#error "define flow_cell(host, hash): the cell of a flow"
#endif

#define GSO_SEGMENTS_MAX 0xffff /* of struct sk_buff */

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
	if (segments > GSO_SEGMENTS_MAX)
		segments = GSO_SEGMENTS_MAX;
	f->wire_packets = segments;
	f->segment_len = gso.segment_len;
	f->wire_len += (segments - 1) * p->payload_offset;
}

/* What the stages work on. */
struct first_pass_tables {
	struct nids_counters *counters;
	void *set; /* of this flow, on this CPU */
	const struct nids_port_classes *ports;
	const struct nids_class *classes; /* NIDS_CLASS_MAX of them */
	__u32 features;			  /* NIDS_FEATURE_* */
	__u32 now_ticks;
	__u32 idle_ticks;
	void *host; /* for the includer's macros */
};

/* What becomes of a packet that has a flow. */
struct first_pass_verdict {
	__u32 generation; /* of its slot; 0: it has none */
	__u8 class_id;
	__u8 from_opener;
	__u8 goes_up;
	__u8 reason;	  /* enum nids_reason, where it goes up */
	__u8 is_bypassed; /* the agent wants nothing of it */
};

/* A verdict in one register, which is all that the verifier lets a global function
 * give back.
 */
static __always_inline __u64 pack_verdict(const struct first_pass_verdict *v)
{
	return (__u64)v->generation << 32 | v->class_id | v->from_opener << 8 | v->goes_up << 9 |
	       v->is_bypassed << 10 | v->reason << 16;
}

static __always_inline struct first_pass_verdict unpack_verdict(__u64 packed)
{
	return (struct first_pass_verdict){.generation = packed >> 32,
					   .class_id = packed,
					   .from_opener = packed >> 8 & 1,
					   .goes_up = packed >> 9 & 1,
					   .is_bypassed = packed >> 10 & 1,
					   .reason = packed >> 16};
}

/* All but the key, its hash, and its length. */
static __always_inline struct flow_packet
flow_packet_of(const struct nids_packet *p, const struct first_pass_frame *f, __u8 sender)
{
	return (struct flow_packet){.wire_len = f->wire_len,
				    .wire_packets = f->wire_packets,
				    .tcp_flags = p->tcp_flags,
				    .has_payload = p->payload_len != 0,
				    .sender = sender};
}

/* The same in one register too. */
static __always_inline __u64 pack_flow_packet(const struct flow_packet *f)
{
	return (__u64)f->wire_len << 32 | (__u64)(f->wire_packets & 0xffff) << 16 |
	       f->tcp_flags << 8 | f->has_payload << 1 | f->sender;
}

static __always_inline struct flow_packet unpack_flow_packet(__u64 packed)
{
	return (struct flow_packet){.wire_len = packed >> 32,
				    .wire_packets = packed >> 16 & 0xffff,
				    .tcp_flags = packed >> 8,
				    .has_payload = packed >> 1 & 1,
				    .sender = packed & 1};
}

static __always_inline struct port_pair ports_of(const struct flow_packet *f)
{
	__u64 word = key_ports_and_tail(f);
	__u16 lo = word, hi = word >> 16;
	int is_lo = f->sender == NIDS_FROM_LO;

	return (struct port_pair){.src = is_lo ? lo : hi,
				  .dst = is_lo ? hi : lo,
				  .l4_proto = key_l4_proto(f),
				  .tcp_flags = f->tcp_flags};
}

static __always_inline __u8 opener_flag(const struct flow_packet *f, int is_from_opener)
{
	return (f->sender == NIDS_FROM_HI) == is_from_opener ? NIDS_FLOW_OPENER_HI : 0;
}

/* Class and opener of a flow that has no slot on this CPU. Returns whether no CPU has
 * seen it before: one CPU alone can tell neither the opener from its peer nor a new
 * flow from one that has come over from another CPU.
 */
static __always_inline int choose_class(const struct first_pass_tables *t,
					const struct flow_packet *f, __u8 *class_id, __u8 *flags)
{
	struct nids_flow_cell *cell = flow_cell(t->host, f->hash);
	struct port_pair ports = ports_of(f);
	struct class_choice choice;

	/* A SYN begins a flow, whatever the same ports did before on another CPU. */
	int is_opening =
	    ports.l4_proto == PROTO_TCP && (f->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;

	if (cell && !is_opening && recall_opener(cell, f->hash, class_id, flags))
		return 0;
	choice = classify(t->ports, &ports);
	*class_id = choice.class_id;
	*flags = opener_flag(f, choice.is_from_opener);
	if (cell)
		t->counters->cells_replaced += remember_opener(cell, f->hash, *class_id, *flags);
	return 1;
}

/* A flow of known class and opener begins again. Its opener's packet makes the cell's
 * history a new one; the other direction's, maybe on another CPU, leaves it.
 */
static __always_inline int begin_cell_anew(const struct first_pass_tables *t,
					   const struct flow_packet *f, __u8 class_id, __u8 flags)
{
	struct nids_flow_cell *cell = flow_cell(t->host, f->hash);

	if (cell && (flags & NIDS_FLOW_OPENER_HI) == f->sender)
		t->counters->cells_replaced += remember_opener(cell, f->hash, class_id, flags);
	return 1;
}

/* What the slot holds goes up, and out of the sum of what is live. */
static __always_inline int export_slot(const struct first_pass_tables *t,
				       const struct flow_packet *f, const struct slot_place *place,
				       enum nids_export cause)
{
	if (!export_flow(t->host, f, place, cause))
		return 0;
	stats_export(t->counters, place->state);
	return 1;
}

/* The slot for the packet of a flow: found, or opened. A flow that is replaced, or
 * ends because the same ends begin anew, goes up first. Returns whether there is
 * one; without room in the ring a victim stays, and an ended flow counts on.
 */
static __always_inline int take_slot(const struct first_pass_tables *t, const struct flow_packet *f,
				     struct slot_place *place, int *is_new)
{
	int is_found = place->search == SLOT_FOUND;
	__u8 class_id = place->state->class_id, flags = place->state->flags & NIDS_FLOW_OPENER_HI;

	if (is_found && !begins_anew(place->state, f, t->now_ticks, t->idle_ticks))
		return 1;
	if (place->search != SLOT_FREE) {
		if (!export_slot(t, f, place, is_found ? NIDS_EXPORT_ENDED : NIDS_EXPORT_EVICTED))
			return is_found;
		t->counters->flows_exported += 1;
	}
	/* A SYN tells who opens; without TCP the same ports mean the same. */
	if (is_found && key_l4_proto(f) != PROTO_TCP)
		*is_new = begin_cell_anew(t, f, class_id, flags);
	else
		*is_new = choose_class(t, f, &class_id, &flags);
	t->counters->flows_created += 1;
	open_slot(place, f, class_id, flags, t->now_ticks);
	return 1;
}

/* Makes room in a slot whose count is full. Returns 0 where its record found none. */
static __always_inline int continue_slot(const struct first_pass_tables *t,
					 const struct flow_packet *f,
					 const struct slot_place *place)
{
	if (!export_slot(t, f, place, NIDS_EXPORT_FULL))
		return 0;
	reset_counts(place->state);
	place->state->flags |= NIDS_FLOW_CONTINUES;
	return 1;
}

/* First events are rare; only they touch the cell that all CPUs share. */
static __always_inline void note_events(const struct first_pass_tables *t,
					const struct flow_packet *f, struct nids_flow_state *state)
{
	__u32 events = events_of(f);
	__u32 first = events << (f->sender & 1) * NIDS_EVENTS_PER_SENDER & ~state->events;
	struct nids_flow_cell *cell;

	if (!first)
		return;
	state->events |= first;
	cell = flow_cell(t->host, f->hash);
	if (cell)
		append_history(cell, f->hash, first >> (f->sender & 1) * NIDS_EVENTS_PER_SENDER,
			       f->sender);
}

static __always_inline int has_command(const struct nids_flow_state *state)
{
	return *(const volatile __u32 *)&state->command >> NIDS_COMMAND_BITS == state->generation;
}

/* The agent's word on this very flow, else the word on its class. */
static __always_inline __u8 interest_in(const struct first_pass_tables *t,
					const struct nids_flow_state *state,
					const struct nids_class *wanted)
{
	if (t->features & NIDS_FEATURE_COMMANDS && has_command(state))
		return *(const volatile __u32 *)&state->command;
	return wanted->interest;
}

static __always_inline void choose_interest(const struct first_pass_tables *t,
					    const struct flow_packet *f,
					    struct nids_flow_state *state, __u64 bytes_before,
					    struct first_pass_verdict *v)
{
	const struct nids_class *wanted = &t->classes[class_index(v->class_id)];
	__u8 interest;

	if (!(t->features & NIDS_FEATURES_BY_FLOW))
		return;
	interest = interest_in(t, state, wanted);
	if (interest == NIDS_INTEREST_COUNT)
		return;
	if (interest == NIDS_INTEREST_BYPASS) {
		v->is_bypassed = 1;
	} else if (interest == NIDS_INTEREST_CAPTURE && t->features & NIDS_FEATURE_CAPTURE) {
		v->goes_up = 1;
		v->reason = NIDS_REASON_CAPTURE;
	} else if (interest == NIDS_INTEREST_INSPECT && t->features & NIDS_FEATURE_INSPECT) {
		v->goes_up =
		    bytes_before < wanted->depth_bytes && !(state->flags & NIDS_FLOW_CONTINUES);
		v->reason = NIDS_REASON_INSPECT;
		if (!v->goes_up)
			add_sum(&t->counters->beyond_depth, f->wire_packets, f->wire_len);
	} else if (interest == NIDS_INTEREST_IDENTIFY && t->features & NIDS_FEATURE_IDENTIFY) {
		v->goes_up = f->has_payload && state->identified < wanted->identify_packets;
		v->reason = NIDS_REASON_IDENTIFY;
		state->identified += v->goes_up;
	}
}

/* A packet without a slot is still classified, by what it tells itself. */
static __always_inline void judge_without_slot(const struct first_pass_tables *t,
					       const struct flow_packet *f,
					       struct first_pass_verdict *v)
{
	__u8 flags, interest;

	choose_class(t, f, &v->class_id, &flags);
	v->from_opener = (flags & NIDS_FLOW_OPENER_HI) == f->sender;
	interest = t->classes[class_index(v->class_id)].interest;
	v->is_bypassed = interest == NIDS_INTEREST_BYPASS;
	/* Where no depth can be measured, what is of interest is of interest. */
	if (interest == NIDS_INTEREST_CAPTURE && t->features & NIDS_FEATURE_CAPTURE) {
		v->goes_up = 1;
		v->reason = NIDS_REASON_CAPTURE;
	} else if (interest == NIDS_INTEREST_INSPECT && t->features & NIDS_FEATURE_INSPECT) {
		v->goes_up = 1;
		v->reason = NIDS_REASON_INSPECT;
	}
	add_sum(&t->counters->unaccounted, f->wire_packets, f->wire_len);
	stats_class(t->counters, v->class_id, f->wire_packets, f->wire_len, 0);
}

/* flow, for nearly every packet: one of a flow that has a slot and no class, without an
 * event or a command. Returns 0, with nothing done, for any other.
 */
static __always_inline int count_in_known_flow(const struct first_pass_tables *t,
					       const struct flow_packet *f)
{
	struct nids_flow_state *state;
	__u32 events = events_of(f) << (f->sender & 1) * NIDS_EVENTS_PER_SENDER;

	if (t->features & NIDS_FEATURE_UNCLASSIFIED)
		return 0;
	state = find_known_slot(t->set, f);
	if (!state || events & ~state->events || state->class_id ||
	    begins_anew(state, f, t->now_ticks, t->idle_ticks) || is_count_full(state, f->sender))
		return 0;
	if (t->features & NIDS_FEATURE_COMMANDS && has_command(state))
		return 0;
	count_in_slot(state, f, t->now_ticks);
	add_sum(&t->counters->live, f->wire_packets, f->wire_len);
	return 1;
}

/* classify and flow, for a packet that has a flow. */
static __always_inline struct first_pass_verdict account_flow(const struct first_pass_tables *t,
							      const struct flow_packet *f)
{
	struct first_pass_verdict v = {};
	struct slot_place place = find_slot(t->set, f);
	__u64 bytes_before;
	int is_new = 0;

	if (!take_slot(t, f, &place, &is_new) ||
	    (is_count_full(place.state, f->sender) && !continue_slot(t, f, &place))) {
		judge_without_slot(t, f, &v);
		return v;
	}
	bytes_before = count_in_slot(place.state, f, t->now_ticks);
	note_events(t, f, place.state);
	add_sum(&t->counters->live, f->wire_packets, f->wire_len);

	v.generation = place.state->generation;
	v.class_id = place.state->class_id;
	v.from_opener = (place.state->flags & NIDS_FLOW_OPENER_HI) == f->sender;
	stats_class(t->counters, v.class_id, f->wire_packets, f->wire_len, is_new && v.from_opener);
	choose_interest(t, f, place.state, bytes_before, &v);
	return v;
}

struct finding_tables {
	struct nids_counters *counters;
	struct finding_budget *budgets; /* NIDS_FINDING_COUNT of them */
	__u32 now_ticks;
	__u32 second_ticks;
};

/* classify, of the packet alone: counts each finding. A packet that does not go up
 * as it is, and is wanted, may be among those of a kind that go up as samples;
 * returns whether it is.
 */
static __always_inline int judge_findings(const struct finding_tables *t, __u32 findings,
					  __u32 wire_packets, __u32 wire_len, int is_wanted)
{
	int is_sample = 0;

	NIDS_NO_UNROLL
	for (int i = 0; i < NIDS_FINDING_COUNT; i++) {
		if (!(findings >> i & 1))
			continue;
		t->counters->findings[i] += wire_packets;
		if (is_wanted && !is_sample)
			is_sample = is_within_budget(&t->budgets[i], t->now_ticks, t->second_ticks);
	}
	if (is_wanted && !is_sample)
		add_sum(&t->counters->not_sampled, wire_packets, wire_len);
	return is_sample;
}

#endif
