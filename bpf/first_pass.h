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
#include "flow/related.h"
#include "nids/abi/event.h"
#include "stats.h"

#ifndef export_flow
#error "define export_flow(tables, flow_packet, place, cause): non-zero where the record went up"
#endif
#ifndef flow_cell
#error "define flow_cell(tables, hash): the cell of a flow"
#endif

#define GSO_SEGMENTS_MAX 0xffff /* of struct sk_buff */

static __always_inline void expand_gso(struct first_pass_frame *f, const struct nids_packet *p,
				       struct gso gso)
{
	__u32 segments = gso.segments;

	f->wire_packets = 1;
	f->wire_len = f->frame_len;
	f->segment_len = 0;
	if (gso.segment_len == 0)
		return;
	if (segments == 0) /* nothing, where no payload is known */
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
	const volatile __u32 *idle_ticks; /* few packets ask how long silence may be */
	void *host;			  /* for the includer's macros */
};

/* The result for a packet that has a flow. */
struct first_pass_verdict {
	__u32 generation; /* of its slot; 0: it has none */
	__u8 class_id;
	__u8 other_class; /* the class if the other side opened the flow; 0: none */
	__u8 from_opener;
	__u8 goes_up;
	__u8 reason;	  /* enum nids_reason, where it goes up */
	__u8 is_bypassed; /* not even samples of findings are sent */
	__u8 is_first;	  /* of its flow, as far as any CPU knows */
};

static __always_inline struct port_pair ports_of(const struct flow_packet *f)
{
	__u64 word = key_ports_and_tail(f);
	__u16 lo = word, hi = word >> 16;
	int is_lo = f->sender == NIDS_FROM_LO;

	return (struct port_pair){.src = is_lo ? lo : hi,
				  .dst = is_lo ? hi : lo,
				  .l4_proto = f->l4_proto,
				  .tcp_flags = f->tcp_flags};
}

static __always_inline __u8 opener_flag(const struct flow_packet *f, int is_from_opener)
{
	return (f->sender == NIDS_FROM_HI) == is_from_opener ? NIDS_FLOW_OPENER_HI : 0;
}

/* Classes and opener of a flow that has no slot on this CPU. Takes them from the cell if another
 * CPU has seen the flow. Returns whether no CPU has.
 */
static __always_inline int choose_class(const struct first_pass_tables *t,
					const struct flow_packet *f, struct nids_flow_cell *cell,
					struct flow_class *class)
{
	struct port_pair ports = ports_of(f);
	struct class_choice choice;

	/* A SYN begins a flow, whatever the same ports did before on another CPU. */
	int is_opening =
	    ports.l4_proto == PROTO_TCP && (f->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;

	if (cell && !is_opening && recall_opener(cell, f->hash, &class->class_id, &class->flags)) {
		int is_from_opener = (class->flags & NIDS_FLOW_OPENER_HI) == f->sender;

		class->other_class =
		    other_class_of(t->ports, ports.l4_proto, is_from_opener ? ports.src : ports.dst,
				   is_from_opener ? ports.dst : ports.src, class->class_id);
		return 0;
	}
	choice = classify(t->ports, &ports);
	class->class_id = choice.class_id;
	class->other_class = choice.other_class;
	class->flags = opener_flag(f, choice.is_from_opener);
	if (cell)
		t->counters->cells_replaced +=
		    remember_opener(cell, f->hash, class->class_id, class->flags);
	return 1;
}

/* Whether a reload has removed the class. */
static __always_inline int is_retired(const struct first_pass_tables *t, __u8 class_id)
{
	return t->classes[class_index(class_id)].flags & NIDS_CLASS_RETIRED;
}

/* For datagrams that begin again after the idle time. A flow with a class keeps its classes and its
 * opener. A flow without one is classified again, because its first datagram may have been forged.
 * A flow with a removed class is classified again too, so no slot gives such a class to a cell.
 * Once no cell has the class, no slot gets it, and its index can be reused.
 */
static __always_inline void classify_again(const struct first_pass_tables *t,
					   const struct flow_packet *f, struct flow_class *class)
{
	struct port_pair ports = ports_of(f);
	struct class_choice choice;

	int is_of_removed = is_retired(t, class->class_id) | is_retired(t, class->other_class);

	if ((class->class_id | class->other_class) && !is_of_removed)
		return;
	choice = classify(t->ports, &ports);
	if (!(choice.class_id | choice.other_class) && !is_of_removed)
		return;
	class->class_id = choice.class_id;
	class->other_class = choice.other_class;
	class->flags = opener_flag(f, choice.is_from_opener);
}

/* A flow of known class and opener begins again. A packet of the opener clears the history in the
 * cell. A packet of the other side, maybe on another CPU, does not.
 */
static __always_inline int begin_cell_anew(const struct first_pass_tables *t,
					   const struct flow_packet *f, struct nids_flow_cell *cell,
					   const struct flow_class *class)
{
	if (cell && (class->flags & NIDS_FLOW_OPENER_HI) == f->sender)
		t->counters->cells_replaced +=
		    remember_opener(cell, f->hash, class->class_id, class->flags);
	return 1;
}

/* Sends the counts of the slot to user space and subtracts them from `live`. */
static __always_inline int export_slot(const struct first_pass_tables *t,
				       const struct flow_packet *f, const struct slot_place *place,
				       __u8 cause)
{
	if (!export_flow(t, f, place, cause))
		return 0;
	stats_export(t->counters, place->state);
	return 1;
}

/* Opens a slot for the packet's flow. Returns whether the flow is new to all CPUs. */
static __always_inline int begin_flow(const struct first_pass_tables *t,
				      const struct flow_packet *f, struct nids_flow_cell *cell,
				      const struct slot_place *place)
{
	struct flow_class class = {.class_id = place->state->class_id,
				   .other_class = place->state->other_class,
				   .flags = place->state->flags & NIDS_FLOW_OPENER_HI};
	int is_new;

	/* In TCP the new SYN names the opener. Other flows keep the opener of the flow before. */
	if (place->search == SLOT_FOUND && f->l4_proto != PROTO_TCP) {
		classify_again(t, f, &class);
		is_new = begin_cell_anew(t, f, cell, &class);
	} else {
		is_new = choose_class(t, f, cell, &class);
	}
	if (class.class_id | class.other_class || t->features & NIDS_FEATURE_UNCLASSIFIED)
		class.flags |= NIDS_FLOW_WATCHED;
	t->counters->flows_created += 1;
	open_slot(place, f, class, t->now_ticks);
	return is_new;
}

/* Corrects the opener by the first SYN and the first SYN-ACK of each side, because the first packet
 * of the flow may have been forged. The last of these four decides for counters and flow records.
 */
static __always_inline void correct_opener(const struct first_pass_tables *t,
					   const struct flow_packet *f, struct nids_flow_cell *cell,
					   struct nids_flow_state *state, __u32 events)
{
	__u32 opener = events & NIDS_EVENT_SYN ? f->sender : !f->sender;
	struct port_pair ports = ports_of(f);
	__u16 opener_port = opener == f->sender ? ports.src : ports.dst;
	__u16 responder_port = opener == f->sender ? ports.dst : ports.src;

	if (!(events & (NIDS_EVENT_SYN | NIDS_EVENT_SYN_ACK)) ||
	    (state->flags & NIDS_FLOW_OPENER_HI) == opener)
		return;
	state->flags ^= NIDS_FLOW_OPENER_HI;
	state->class_id = class_of_port(t->ports, f->l4_proto, responder_port);
	state->other_class =
	    other_class_of(t->ports, f->l4_proto, opener_port, responder_port, state->class_id);
	if (cell && correct_cell(cell, f->hash, state->class_id, opener) && state->class_id)
		t->counters->classes[class_index(state->class_id)].flows += 1;
}

/* A flow with a FIN or RST counts as unanswered: it is over or was refused. */
static __always_inline __u8 answered_flag(__u16 events)
{
	if (!(events & NIDS_EVENTS_OF_LO) || !(events >> NIDS_EVENTS_PER_SENDER))
		return 0;
	return events & NIDS_EVENTS_OF_END ? 0 : NIDS_FLOW_ANSWERED;
}

/* Returns the events of the packet that are the first of their kind from its sender. */
static __always_inline __u32 note_events(const struct first_pass_tables *t,
					 const struct flow_packet *f, struct nids_flow_cell *cell,
					 struct nids_flow_state *state)
{
	__u32 shift = (f->sender & 1) * NIDS_EVENTS_PER_SENDER;
	__u32 first = events_of(f) << shift & ~state->events;

	if (!first)
		return 0;
	state->events |= first;
	state->flags = (state->flags & ~NIDS_FLOW_ANSWERED) | answered_flag(state->events);
	if (cell)
		append_history(cell, f->hash, first >> shift, f->sender);
	correct_opener(t, f, cell, state, first >> shift);
	return first >> shift;
}

static __always_inline int has_command(const struct nids_flow_state *state)
{
	return *(const volatile __u32 *)&state->command >> NIDS_COMMAND_BITS == state->generation;
}

/* The agent's command for the flow in the slot. */
static __always_inline __u8 word_on(const struct first_pass_tables *t,
				    const struct nids_flow_state *state)
{
	if (t->features & NIDS_FEATURE_COMMANDS && has_command(state))
		return *(const volatile __u32 *)&state->command & NIDS_COMMAND_WORD;
	return NIDS_COMMAND_NONE;
}

/* The interest if the slot has no command. */
static __always_inline __u8 interest_of(__u8 flags, const struct nids_class *wanted)
{
	if (flags & NIDS_FLOW_CAPTURE)
		return NIDS_INTEREST_CAPTURE;
	return flags & NIDS_FLOW_HEADERS ? NIDS_INTEREST_HEADERS : wanted->interest;
}

/* The reason if this interest sends every packet, else NIDS_REASON_COUNT. */
static __always_inline __u8 reason_for_all(const struct first_pass_tables *t, __u8 interest)
{
	if (interest == NIDS_INTEREST_CAPTURE && t->features & NIDS_FEATURE_CAPTURE)
		return NIDS_REASON_CAPTURE;
	if (interest == NIDS_INTEREST_HEADERS && t->features & NIDS_FEATURE_HEADERS)
		return NIDS_REASON_HEADERS;
	return NIDS_REASON_COUNT;
}

/* What happens to a packet for one class of its flow. */
struct wish {
	__u8 reason;	/* enum nids_reason; NIDS_REASON_COUNT: not sent to user space */
	__u8 is_beyond; /* not sent, because its direction has reached the depth */
	/* Nothing more of the flow is sent: the depth or the packets to identify it are used up, or
	 * the agent refused the flow.
	 */
	__u8 is_spent;
	__u8 is_bypassed;
};

static __always_inline struct wish wish_of(const struct first_pass_tables *t,
					   const struct flow_packet *f,
					   const struct nids_flow_state *state, __u64 bytes_before,
					   __u8 class_id)
{
	const struct nids_class *wanted = &t->classes[class_index(class_id)];
	__u8 word = word_on(t, state), interest = word & NIDS_COMMAND_INTEREST;
	int is_beyond = (word & NIDS_COMMAND_STOP_LO << (f->sender & 1)) != 0;
	struct wish w = {};

	w.is_spent = interest == NIDS_INTEREST_COUNT; /* by command */
	if (interest == NIDS_COMMAND_NONE)
		interest = interest_of(state->flags, wanted);
	w.is_bypassed = interest == NIDS_INTEREST_BYPASS;
	w.reason = reason_for_all(t, interest);
	if (interest == NIDS_INTEREST_INSPECT && t->features & NIDS_FEATURE_INSPECT) {
		w.reason = NIDS_REASON_INSPECT;
		is_beyond = is_beyond || bytes_before >= wanted->depth_bytes ||
			    state->flags & NIDS_FLOW_CONTINUES;
	} else if (interest == NIDS_INTEREST_IDENTIFY && t->features & NIDS_FEATURE_IDENTIFY) {
		w.is_spent = is_beyond || state->identified >= wanted->identify_packets;
		if (!w.is_spent && f->has_payload)
			w.reason = NIDS_REASON_IDENTIFY;
		return w;
	}
	if (w.reason != NIDS_REASON_COUNT && is_beyond) {
		w.reason = NIDS_REASON_COUNT;
		w.is_beyond = w.is_spent = 1;
	}
	return w;
}

/* Of a flow with two classes: sent if either wants it. The lower reason sends more of the packet.
 */
static __always_inline struct wish wish_of_both(struct wish a, struct wish b)
{
	return (struct wish){.reason = a.reason < b.reason ? a.reason : b.reason,
			     .is_beyond = a.is_beyond | b.is_beyond,
			     .is_spent = a.is_spent | b.is_spent,
			     .is_bypassed = a.is_bypassed & b.is_bypassed};
}

/* Returns whether packets of this class are sent to user space. */
static __always_inline int is_of_interest(const struct first_pass_tables *t, __u8 class_id)
{
	__u8 interest = t->classes[class_index(class_id)].interest;

	if (!class_id)
		return 0;
	return reason_for_all(t, interest) != NIDS_REASON_COUNT ||
	       (interest == NIDS_INTEREST_INSPECT && t->features & NIDS_FEATURE_INSPECT) ||
	       (interest == NIDS_INTEREST_IDENTIFY && t->features & NIDS_FEATURE_IDENTIFY);
}

/* Returns whether the packet shows the agent who opened a flow of interest. In a flow with two
 * classes each SYN and SYN-ACK does. In other flows the first SYN and SYN-ACK of each side do, and
 * the first datagram with a payload of each side.
 */
static __always_inline int is_handshake(const struct first_pass_tables *t,
					const struct flow_packet *f, __u8 class_id,
					__u8 other_class, __u32 first_events)
{
	const int is_tcp = f->l4_proto == PROTO_TCP;
	const __u32 telling = is_tcp ? NIDS_EVENT_SYN | NIDS_EVENT_SYN_ACK : NIDS_EVENT_DATA;

	if (!(first_events & telling) && !(other_class && is_tcp && f->tcp_flags & TCP_SYN))
		return 0;
	return is_of_interest(t, class_id) || is_of_interest(t, other_class);
}

/* Cancels the agent's command `count`, because the handshake that led to it may have been forged.
 */
static __always_inline void cancel_refusal(struct nids_flow_state *state)
{
	__u32 command = *(const volatile __u32 *)&state->command;

	if (has_command(state) && (command & NIDS_COMMAND_INTEREST) == NIDS_INTEREST_COUNT)
		__sync_fetch_and_or(&state->command, NIDS_COMMAND_NONE);
}

/* `is_plain` is a constant. If it is set, the flow has one class. */
static __always_inline void choose_interest(const struct first_pass_tables *t,
					    const struct flow_packet *f,
					    struct nids_flow_state *state, __u64 bytes_before,
					    __u32 first_events, const int is_plain,
					    struct first_pass_verdict *v)
{
	struct wish w;

	if (!(t->features & NIDS_FEATURES_BY_FLOW))
		return;
	w = wish_of(t, f, state, bytes_before, state->class_id);
	if (!is_plain && state->other_class)
		w = wish_of_both(w, wish_of(t, f, state, bytes_before, state->other_class));
	/* Forged packets may have used up the depth or caused the refusal. */
	if (!is_plain && (state->other_class || w.is_spent) &&
	    is_handshake(t, f, state->class_id, state->other_class, first_events)) {
		cancel_refusal(state);
		if (w.reason == NIDS_REASON_COUNT)
			w.reason = NIDS_REASON_HANDSHAKE;
	}
	v->is_bypassed = w.is_bypassed;
	v->reason = w.reason;
	v->goes_up = w.reason != NIDS_REASON_COUNT;
	state->identified += w.reason == NIDS_REASON_IDENTIFY;
	if (!v->goes_up && w.is_beyond)
		add_sum(&t->counters->beyond_depth, f->wire_packets, f->wire_len);
}

/* Without a slot no depth can be measured, so `inspect` sends every packet. */
static __always_inline struct wish wish_without_slot(const struct first_pass_tables *t, __u8 flags,
						     __u8 class_id)
{
	__u8 interest = interest_of(flags, &t->classes[class_index(class_id)]);
	struct wish w = {.reason = reason_for_all(t, interest),
			 .is_bypassed = interest == NIDS_INTEREST_BYPASS};

	if (interest == NIDS_INTEREST_INSPECT && t->features & NIDS_FEATURE_INSPECT)
		w.reason = NIDS_REASON_INSPECT;
	return w;
}

/* A packet without a slot is still classified, by the cell or by the packet alone. */
static __always_inline struct first_pass_verdict
judge_without_slot(const struct first_pass_tables *t, const struct flow_packet *f,
		   struct nids_flow_cell *cell)
{
	struct flow_class class;
	struct wish w;
	int is_first = choose_class(t, f, cell, &class);

	w = wish_without_slot(t, class.flags, class.class_id);
	if (class.other_class)
		w = wish_of_both(w, wish_without_slot(t, class.flags, class.other_class));
	if (w.reason == NIDS_REASON_COUNT &&
	    is_handshake(t, f, class.class_id, class.other_class, 0))
		w.reason = NIDS_REASON_HANDSHAKE;
	add_sum(&t->counters->unaccounted, f->wire_packets, f->wire_len);
	stats_class(t->counters, class.class_id, f->wire_packets, f->wire_len, 0);
	return (struct first_pass_verdict){
	    .class_id = class.class_id,
	    .other_class = class.other_class,
	    .from_opener = (class.flags & NIDS_FLOW_OPENER_HI) == f->sender,
	    .goes_up = w.reason != NIDS_REASON_COUNT,
	    .reason = w.reason,
	    .is_bypassed = w.is_bypassed,
	    .is_first = is_first,
	};
}

/* Whether packets in this slot are only counted. The command may be for an earlier flow; word_on()
 * checks that.
 */
static __always_inline int is_counted_only(const struct nids_flow_state *state)
{
	return !(state->flags & NIDS_FLOW_WATCHED) && !*(const volatile __u32 *)&state->command;
}

/* Decides what happens to a packet by the state of its flow. */
static __always_inline struct first_pass_verdict
judge_in_slot(const struct first_pass_tables *t, const struct flow_packet *f,
	      struct nids_flow_state *state, __u64 bytes_before, __u32 first_events, int opens_flow,
	      const int is_plain)
{
	struct first_pass_verdict v = {.generation = state->generation,
				       .class_id = state->class_id,
				       .other_class = is_plain ? 0 : state->other_class,
				       .is_first = opens_flow};

	v.from_opener = (state->flags & NIDS_FLOW_OPENER_HI) == f->sender;
	if (is_counted_only(state))
		return v;
	stats_class(t->counters, v.class_id, f->wire_packets, f->wire_len,
		    opens_flow && v.from_opener);
	choose_interest(t, f, state, bytes_before, first_events, is_plain, &v);
	return v;
}

static __always_inline __u64 count_in_flow(const struct first_pass_tables *t,
					   const struct flow_packet *f,
					   struct nids_flow_state *state)
{
	add_sum(&t->counters->live, f->wire_packets, f->wire_len);
	return count_in_slot(state, f, t->now_ticks);
}

/* flow, for nearly every packet: the slot of the packet's flow if the packet only has to be counted
 * there. Otherwise null; nothing is changed.
 */
static __always_inline struct nids_flow_state *known_slot(const struct first_pass_tables *t,
							  struct flow_packet *f)
{
	struct nids_flow_state *state = find_known_slot(t->set, f);
	__u32 events = events_of(f) << (f->sender & 1) * NIDS_EVENTS_PER_SENDER;

	f->is_absent = !state;
	if (!state || events & ~state->events ||
	    begins_anew(state, f, t->now_ticks, t->idle_ticks) || is_count_full(state, f->sender))
		return 0;
	return state;
}

#define NO_EXPORT 0xff /* beside enum nids_export */

/* Why a slot's counts must leave before a packet is counted there. */
static __always_inline __u8 why_export(const struct first_pass_tables *t,
				       const struct flow_packet *f, const struct slot_place *place)
{
	if (place->search == SLOT_FREE)
		return NO_EXPORT;
	if (place->search == SLOT_VICTIM)
		return NIDS_EXPORT_EVICTED;
	if (begins_anew(place->state, f, t->now_ticks, t->idle_ticks))
		return NIDS_EXPORT_ENDED;
	return is_count_full(place->state, f->sender) ? NIDS_EXPORT_FULL : NO_EXPORT;
}

/* classify and flow, for a packet that has a flow. Exports a flow first that is evicted, or that
 * ends because the same ends begin a new one. If the ring has no room for the record, the victim
 * stays in the slot, and the ended flow goes on.
 */
static __always_inline struct first_pass_verdict account_flow(const struct first_pass_tables *t,
							      const struct flow_packet *f)
{
	struct nids_flow_cell *cell = flow_cell(t, f->hash);

	struct slot_place place = find_slot(t->set, f, t->now_ticks);
	__u8 cause = why_export(t, f, &place);
	int is_gone = cause != NO_EXPORT && export_slot(t, f, &place, cause);
	int is_new = 0;

	if (place.search == SLOT_FREE || (is_gone && cause != NIDS_EXPORT_FULL)) {
		t->counters->flows_exported += is_gone;
		is_new = begin_flow(t, f, cell, &place);
	} else if (is_gone) {
		continue_flow(place.state);
	} else if (place.search == SLOT_VICTIM || is_count_full(place.state, f->sender)) {
		return judge_without_slot(t, f, cell);
	}
	__u64 bytes_before = count_in_flow(t, f, place.state);

	__u32 first_events = note_events(t, f, cell, place.state);

	return judge_in_slot(t, f, place.state, bytes_before, first_events, is_new, 0);
}

struct finding_tables {
	struct nids_counters *counters;
	struct nids_finding_budget *budgets; /* NIDS_FINDING_COUNT of them */
	struct nids_sample_buckets *buckets;
	__u32 now_ticks;
	__u32 second_ticks;
	__u32 window_ticks; /* in which a sender has one sample of a finding */
};

/* classify, of the packet alone: counts each finding. Returns whether the packet is a sample.
 * `is_wanted`: the packet is not sent anyway, and its flow is not bypassed. `sender` is
 * sender_hash().
 */
static __always_inline int judge_findings(const struct finding_tables *t, __u32 findings,
					  __u32 wire_packets, __u32 wire_len, int is_wanted,
					  __u32 sender)
{
	int is_sample = 0;

	NIDS_NO_UNROLL
	for (int i = 0; i < NIDS_FINDING_COUNT; i++) {
		if (!(findings >> i & 1))
			continue;
		t->counters->findings[i] += wire_packets;
		if (!is_wanted)
			continue;
		__u32 *last = sample_time(t->buckets, i, sender);

		if (is_repetition(*last, t->now_ticks, t->window_ticks) ||
		    !is_within_budget(&t->budgets[i], t->now_ticks, t->second_ticks))
			continue;
		*last = t->now_ticks ? t->now_ticks : 1;
		is_sample = 1;
	}
	if (is_wanted && !is_sample)
		add_sum(&t->counters->not_sampled, wire_packets, wire_len);
	return is_sample;
}

#endif
