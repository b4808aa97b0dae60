/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Findings about a single packet, and the limits of samples of each kind.
 * Pure: no maps, no helpers.
 */
#ifndef NIDS_CLASSIFY_FINDING_H
#define NIDS_CLASSIFY_FINDING_H

#include "nids/abi/counters.h"
#include "nids/abi/packet.h"
#include "parse/wire.h"

typedef __u32 __attribute__((may_alias)) finding_half;
typedef __u64 __attribute__((may_alias)) finding_word;

#define finding_bit(name) (1u << NIDS_FINDING_##name)

/* All but CWR and ECE, which honest senders set beside any of them (RFC 3168). */
#define TCP_FLAGS_JUDGED (TCP_FIN | TCP_SYN | TCP_RST | TCP_PSH | TCP_ACK | TCP_URG)

static __always_inline int is_ipv4_multicast(__u32 address)
{
	return (address & 0xf0) == 0xe0 || address == 0xffffffff; /* network order */
}

/* To many: by its address, or, as a directed broadcast, by its MAC address. Not by a
 * multicast one, which clusters use for one address.
 */
static __always_inline int is_to_many(const struct nids_packet *p)
{
	if (p->flags & NIDS_PACKET_TO_BROADCAST)
		return 1;
	return p->ip_version == 4 ? is_ipv4_multicast(*(const finding_half *)p->dst)
				  : p->dst[0] == 0xff;
}

static __always_inline int is_loopback(const struct nids_packet *p)
{
	const finding_word *src = (const finding_word *)p->src;

	return p->ip_version == 4 ? p->src[0] == 127 : src[0] == 0 && be64(src[1]) == 1;
}

static __always_inline int is_to_itself(const struct nids_packet *p)
{
	const finding_word *src = (const finding_word *)p->src;
	const finding_word *dst = (const finding_word *)p->dst;

	if (p->src_port != p->dst_port || !(p->flags & NIDS_PACKET_HAS_PORTS))
		return 0;
	return src[0] == dst[0] && src[1] == dst[1] && !is_loopback(p);
}

static __always_inline __u32 tcp_findings(const struct nids_packet *p)
{
	__u8 flags = p->tcp_flags & TCP_FLAGS_JUDGED;
	__u32 found = 0;

	if ((flags & ~TCP_PSH) == TCP_ACK)
		return 0; /* nearly all */
	if (flags == (TCP_FIN | TCP_PSH | TCP_URG))
		found |= finding_bit(XMAS);
	if (flags == 0)
		found |= finding_bit(NULL);
	if (!(flags & TCP_SYN))
		return found;
	if (flags & TCP_FIN)
		found |= finding_bit(SYN_FIN);
	if (flags & TCP_RST)
		found |= finding_bit(SYN_RST);
	if (is_to_many(p))
		found |= finding_bit(SYN_MULTICAST);
	return found;
}

static __always_inline int is_echo_request(const struct nids_packet *p)
{
	return p->ip_version == 4
		   ? p->l4_proto == PROTO_ICMP && p->icmp_type == ICMP_ECHO_REQUEST
		   : p->l4_proto == PROTO_ICMPV6 && p->icmp_type == ICMPV6_ECHO_REQUEST;
}

static __always_inline __u32 flow_findings(const struct nids_packet *p)
{
	/* The flags of a tiny fragment were not read. */
	const int has_tcp_flags =
	    p->l4_proto == PROTO_TCP && !(p->quirks & NIDS_QUIRK_TINY_FRAGMENT);
	__u32 found = has_tcp_flags ? tcp_findings(p) : 0;

	if ((p->l4_proto == PROTO_TCP || p->l4_proto == PROTO_UDP) &&
	    (p->src_port == 0 || p->dst_port == 0))
		found |= finding_bit(PORT_ZERO);
	if (is_to_itself(p))
		found |= finding_bit(LAND);
	if (is_echo_request(p) && is_to_many(p))
		found |= finding_bit(SMURF);
	return found;
}

static __always_inline __u32 result_findings(__u8 result)
{
	switch (result) {
	case NIDS_PARSE_BAD_LENGTH:
		return finding_bit(BAD_LENGTH);
	case NIDS_PARSE_BAD_HEADER:
		return finding_bit(BAD_HEADER);
	case NIDS_PARSE_TRUNCATED:
		return finding_bit(TRUNCATED);
	case NIDS_PARSE_TOO_MANY_TAGS:
	case NIDS_PARSE_TOO_MANY_EXTENSIONS:
		return finding_bit(TOO_MANY_HEADERS);
	}
	return 0;
}

static __always_inline __u32 quirk_findings(__u16 quirks)
{
	__u32 found = 0;

	if (quirks & NIDS_QUIRK_SOURCE_ROUTE)
		found |= finding_bit(SOURCE_ROUTE);
	if (quirks & NIDS_QUIRK_BAD_OPTIONS)
		found |= finding_bit(BAD_OPTIONS);
	if (quirks & NIDS_QUIRK_RH0)
		found |= finding_bit(RH0);
	if (quirks & NIDS_QUIRK_OVERSIZED)
		found |= finding_bit(PING_OF_DEATH);
	if (quirks & NIDS_QUIRK_TINY_FRAGMENT)
		found |= finding_bit(TINY_FRAGMENT);
	if (quirks & NIDS_QUIRK_HEADER_FRAGMENT)
		found |= finding_bit(OVERLAPPING_FRAGMENT);
	return found;
}

/* A bit each, by enum nids_finding. */
static __always_inline __u32 findings_of(const struct nids_packet *p)
{
	/* A later fragment has its datagram's flow, and none of its headers. */
	const int has_headers =
	    p->flags & NIDS_PACKET_IS_FLOW && p->result != NIDS_PARSE_LATER_FRAGMENT;
	__u32 found = has_headers ? flow_findings(p) : 0;

	return found | result_findings(p->result) | quirk_findings(p->quirks);
}

/* Whether findings_of() is worth to be asked of a packet that was read in place, not to the
 * broadcast MAC address: by few compares, each of which leads out of the way that
 * nearly all take. By parts of addresses: it may be asked in vain.
 */
static __always_inline int may_have_findings(const struct nids_packet *p)
{
	const finding_word *src = (const finding_word *)p->src;
	const finding_word *dst = (const finding_word *)p->dst;
	const int word = p->ip_version == 4 ? 0 : 1;

	if (src[word] == dst[word] || !p->src_port || !p->dst_port)
		return 1;
	if (p->l4_proto == PROTO_UDP)
		return 0;
	if (p->l4_proto != PROTO_TCP)
		return 1;
	if ((p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_ACK)
		return 0;
	if ((p->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST)) != TCP_SYN)
		return 1;
	return p->dst[0] >= 0xe0; /* IPv4 multicast and above; IPv6 multicast among others */
}

/* Samples of each kind a second on each CPU, of all senders together. The rest is only counted. */
#define FINDING_SAMPLES 256

/* The hash of the source address; of its /64 in IPv6, because a host may choose any address in
 * that. All packets whose addresses could not be read have one hash.
 */
static __always_inline __u32 sender_hash(const struct nids_packet *p, const volatile __u64 *keys)
{
	__u64 sender = *(const finding_word *)p->src;

	return (keys[0] + (keys[1] + sender) * (keys[2] + (sender >> 32)) +
		keys[3] * p->ip_version) >>
	       32;
}

/* The time of the last sample of a finding in the sender's bucket. The hash is masked after the
 * barrier, because the verifier of kernel 6.1 forgets the bounds of a spilled half word.
 */
static __always_inline __u32 *sample_time(struct nids_sample_buckets *b, __u32 finding,
					  __u32 sender_hash)
{
	__asm__ volatile("" : "+r"(sender_hash));
	return &b->last_ticks[(finding << NIDS_SAMPLE_BUCKET_BITS) +
			      (sender_hash & (NIDS_SAMPLE_BUCKETS - 1))];
}

/* The time at which the bucket of a sender and class last sent the first packet of a flow to the
 * last quarter of a ring. There is one bucket for each 8 KiB of the ring. A SYN takes some 900
 * bytes, so one SYN of each bucket takes a ninth of the ring, which is less than half of the last
 * quarter.
 */
static __always_inline __u32 *first_packet_time(struct nids_sample_buckets *b, __u32 sender_hash,
						__u8 class_id, __u32 ring_bytes)
{
	__u32 buckets = ring_bytes > 8192 ? ring_bytes / 8192 : 1;
	__u32 bucket = (sender_hash + class_id * 0x9e3779b1u) & (buckets - 1);

	return sample_time(b, NIDS_FINDING_COUNT, bucket);
}

/* Whether the bucket has had its sample in this window. */
static __always_inline int is_repetition(__u32 last_ticks, __u32 now_ticks, __u32 window_ticks)
{
	return last_ticks && now_ticks - last_ticks < window_ticks;
}

static __always_inline int is_within_budget(struct nids_finding_budget *b, __u32 now_ticks,
					    __u32 second_ticks)
{
	if (now_ticks - b->since_ticks >= second_ticks) {
		b->since_ticks = now_ticks;
		b->used = 0;
	}
	if (b->used >= FINDING_SAMPLES)
		return 0;
	b->used++;
	return 1;
}

#endif
