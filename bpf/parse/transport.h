/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* TCP, UDP, SCTP, ICMP, ICMPv6 and IGMP. Pure: no maps, no helpers.
 *
 * `l4_len` is what the IP header grants in bytes: a header that does not fit it
 * is a length that lies, whatever the frame holds behind it.
 */
#ifndef NIDS_PARSE_TRANSPORT_H
#define NIDS_PARSE_TRANSPORT_H

#include "cursor.h"

#define IGMP_BYTES_MIN 8 /* RFC 2236 section 2, RFC 9776 section 4 */

/* Ends the walk: all headers are read, the rest is payload of a flow. */
static __always_inline enum nids_parse_result parse_payload(struct cursor *c, struct nids_packet *p,
							    __u32 hdr_len, __u32 l4_len)
{
	p->payload_offset = c->offset + hdr_len;
	p->payload_len = l4_len - hdr_len;
	p->flags |= NIDS_PACKET_IS_FLOW;
	return NIDS_PARSE_OK;
}

/* A first fragment that ends inside its transport header. Its ports are read, so that a sender
 * can't hide them in this way. The rest of the header, with TCP's flags, is in a later fragment.
 */
static __always_inline enum nids_parse_result parse_ports_alone(struct cursor *c,
								struct nids_packet *p, __u32 l4_len)
{
	struct wire_ports ports;
	enum nids_parse_result result;

	if (l4_len < sizeof(ports))
		return NIDS_PARSE_BAD_LENGTH;
	result = cursor_peek(c, &ports, sizeof(ports));
	if (result != NIDS_PARSE_OK)
		return result;
	p->src_port = be16(ports.src_port);
	p->dst_port = be16(ports.dst_port);
	p->flags |= NIDS_PACKET_HAS_PORTS;
	return parse_payload(c, p, l4_len, l4_len);
}

static __always_inline int in_first_fragment(const struct cursor *c, const struct nids_packet *p)
{
	return c->reading == WHOLE && p->flags & NIDS_PACKET_FIRST_FRAGMENT;
}

/* RFC 9293 section 3.1. */
static __always_inline enum nids_parse_result parse_tcp(struct cursor *c, struct nids_packet *p,
							__u32 l4_len)
{
	struct wire_tcp tcp;
	enum nids_parse_result result;

	if (l4_len < sizeof(tcp)) {
		if (!in_first_fragment(c, p))
			return NIDS_PARSE_BAD_LENGTH;
		p->quirks |= NIDS_QUIRK_TINY_FRAGMENT;
		return parse_ports_alone(c, p, l4_len);
	}
	result = cursor_peek(c, &tcp, sizeof(tcp));
	if (result != NIDS_PARSE_OK)
		return result;

	__u32 hdr_len = (tcp.data_offset >> 4) * 4u;

	if (hdr_len < sizeof(tcp))
		return NIDS_PARSE_BAD_HEADER;
	/* The options of a first fragment may go on in the next one: no way to hide ports. */
	if (hdr_len > l4_len && p->flags & NIDS_PACKET_FIRST_FRAGMENT)
		hdr_len = l4_len;
	if (hdr_len > l4_len)
		return NIDS_PARSE_BAD_LENGTH;
	p->src_port = be16(tcp.src_port);
	p->dst_port = be16(tcp.dst_port);
	p->tcp_flags = tcp.flags;
	p->flags |= NIDS_PACKET_HAS_PORTS;
	return parse_payload(c, p, hdr_len, l4_len);
}

static __always_inline int is_vxlan_port(__u16 port)
{
	return port == VXLAN_PORT || port == VXLAN_PORT_LINUX;
}

/* RFC 768. The length of a first fragment is that of the whole datagram. */
static __always_inline enum nids_parse_result parse_udp(struct cursor *c, struct nids_packet *p,
							__u32 l4_len)
{
	struct wire_udp udp;
	enum nids_parse_result result;

	if (l4_len < sizeof(udp))
		return NIDS_PARSE_BAD_LENGTH;
	result = cursor_peek(c, &udp, sizeof(udp));
	if (result != NIDS_PARSE_OK)
		return result;

	__u32 len = be16(udp.len);

	/* RFC 2675 section 4 allows this for jumbograms; Linux accepts it in any packet. */
	if (c->reading == WHOLE && len == 0 && p->ip_version == 6)
		len = l4_len;
	if (len < sizeof(udp))
		return NIDS_PARSE_BAD_LENGTH;
	if (p->flags & NIDS_PACKET_FIRST_FRAGMENT)
		len = l4_len;
	if (len > l4_len)
		return NIDS_PARSE_BAD_LENGTH;
	p->src_port = be16(udp.src_port);
	p->dst_port = be16(udp.dst_port);
	if (c->reading == PLAIN && (is_vxlan_port(p->dst_port) || p->dst_port == GENEVE_PORT))
		return (enum nids_parse_result)NIDS_PARSE_DEFERRED;
	p->flags |= NIDS_PACKET_HAS_PORTS;
	return parse_payload(c, p, sizeof(udp), len);
}

/* RFC 9260 section 3.1. */
static __always_inline enum nids_parse_result parse_sctp(struct cursor *c, struct nids_packet *p,
							 __u32 l4_len)
{
	struct wire_sctp sctp;
	enum nids_parse_result result;

	if (l4_len < sizeof(sctp))
		return in_first_fragment(c, p) ? parse_ports_alone(c, p, l4_len)
					       : NIDS_PARSE_BAD_LENGTH;
	result = cursor_peek(c, &sctp, sizeof(sctp));
	if (result != NIDS_PARSE_OK)
		return result;
	p->src_port = be16(sctp.src_port);
	p->dst_port = be16(sctp.dst_port);
	p->flags |= NIDS_PACKET_HAS_PORTS;
	return parse_payload(c, p, sizeof(sctp), l4_len);
}

static __always_inline int is_icmp_echo(__u8 l4_proto, __u8 type)
{
	if (l4_proto == PROTO_ICMP)
		return type == ICMP_ECHO_REQUEST || type == ICMP_ECHO_REPLY;
	return l4_proto == PROTO_ICMPV6 &&
	       (type == ICMPV6_ECHO_REQUEST || type == ICMPV6_ECHO_REPLY);
}

/* Whether the message carries the packet that it is about: RFC 1122 section 3.2.2,
 * RFC 4443 section 2.1.
 */
static __always_inline int is_icmp_error(__u8 l4_proto, __u8 type)
{
	if (l4_proto == PROTO_ICMPV6)
		return type >= ICMPV6_ERROR_FIRST && type <= ICMPV6_ERROR_LAST;
	return type == ICMP_UNREACHABLE || type == ICMP_SOURCE_QUENCH || type == ICMP_REDIRECT ||
	       type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER;
}

/* What answers a message that asks, other than an echo; 0: nothing does. RFC 792, 950, 1256;
 * RFC 2710, 4861, 4620, 6275.
 */
static __always_inline __u8 icmp_answer_to(__u8 l4_proto, __u8 type)
{
	if (l4_proto == PROTO_ICMP) {
		if (type == 13 || type == 15 || type == 17) /* timestamp, information, mask */
			return type + 1;
		if (type == 14 || type == 16 || type == 18)
			return type - 1;
		return type == 10 ? 9 : type == 9 ? 10 : 0; /* router solicitation */
	}
	/* listeners; routers; neighbours; node information; home agents */
	if (type == 130 || type == 133 || type == 135 || type == 139 || type == 144)
		return type + 1;
	if (type == 131 || type == 134 || type == 136 || type == 140 || type == 145)
		return type - 1;
	return 0;
}

/* In place of ports, so that what is asked and what is answered are one flow, and no
 * other. Of an echo the identifier, both; of all else type << 8 | code, and the same of
 * the answer, or 0: the two differ.
 */
static __always_inline void icmp_ports(__u8 l4_proto, __u8 type, __u8 code, __u16 echo_id,
				       __u16 *src_port, __u16 *dst_port)
{
	__u8 answer;

	if (is_icmp_echo(l4_proto, type)) {
		*src_port = echo_id;
		*dst_port = echo_id;
		return;
	}
	answer = icmp_answer_to(l4_proto, type);
	*src_port = type << 8 | code;
	*dst_port = answer ? answer << 8 | code : 0;
}

/* RFC 792 and RFC 4443: every message has 8 bytes before its data. */
static __always_inline enum nids_parse_result parse_icmp(struct cursor *c, struct nids_packet *p,
							 __u32 l4_len)
{
	struct wire_icmp icmp;
	enum nids_parse_result result;

	if (l4_len < sizeof(icmp))
		return NIDS_PARSE_BAD_LENGTH;
	result = cursor_peek(c, &icmp, sizeof(icmp));
	if (result != NIDS_PARSE_OK)
		return result;
	p->icmp_type = icmp.type;
	p->icmp_code = icmp.code;

	if (c->reading == PLAIN && !is_icmp_echo(p->l4_proto, icmp.type))
		return (enum nids_parse_result)NIDS_PARSE_DEFERRED;
	icmp_ports(p->l4_proto, icmp.type, icmp.code, be16(icmp.echo_id), &p->src_port,
		   &p->dst_port);
	if (is_icmp_error(p->l4_proto, icmp.type))
		p->flags |= NIDS_PACKET_IS_ICMP_ERROR;
	return parse_payload(c, p, sizeof(icmp), l4_len);
}

static __always_inline __u8 transport_of(__u8 l4_proto)
{
	switch (l4_proto) {
	case PROTO_TCP:
		return NIDS_TRANSPORT_TCP;
	case PROTO_UDP:
		return NIDS_TRANSPORT_UDP;
	case PROTO_ICMP:
		return NIDS_TRANSPORT_ICMP;
	case PROTO_ICMPV6:
		return NIDS_TRANSPORT_ICMPV6;
	case PROTO_SCTP:
		return NIDS_TRANSPORT_SCTP;
	case PROTO_IGMP:
		return NIDS_TRANSPORT_IGMP;
	}
	return NIDS_TRANSPORT_OTHER;
}

static __always_inline enum nids_parse_result parse_transport(struct cursor *c,
							      struct nids_packet *p, __u32 l4_len)
{
	p->transport = transport_of(p->l4_proto);
	p->l4_offset = c->offset;
	switch (p->transport) {
	case NIDS_TRANSPORT_TCP:
		return parse_tcp(c, p, l4_len);
	case NIDS_TRANSPORT_UDP:
		return parse_udp(c, p, l4_len);
	case NIDS_TRANSPORT_SCTP:
		return parse_sctp(c, p, l4_len);
	case NIDS_TRANSPORT_ICMP:
	case NIDS_TRANSPORT_ICMPV6:
		return parse_icmp(c, p, l4_len);
	}
	if (c->reading == PLAIN)
		return (enum nids_parse_result)NIDS_PARSE_DEFERRED;
	if (p->transport == NIDS_TRANSPORT_IGMP && l4_len < IGMP_BYTES_MIN)
		return NIDS_PARSE_BAD_LENGTH;
	return parse_payload(c, p, 0, l4_len);
}

#endif
