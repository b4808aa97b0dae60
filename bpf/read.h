/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a hook gives of a frame, and parse's way to read that by helper. */
#ifndef NIDS_READ_H
#define NIDS_READ_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "clock.h"
#include "nids/abi/packet.h"

#define cursor_load(c, to, bytes)                                                                  \
	((c)->is_xdp ? bpf_xdp_load_bytes((c)->load_from, (c)->offset + pass_lead(), to, bytes)    \
		     : bpf_skb_load_bytes((c)->load_from, (c)->offset, to, bytes))

#define parse_network_whole(c, p)                                                                  \
	(enum nids_parse_result)(                                                                  \
	    (c)->is_xdp ? nids_network_xdp((c)->load_from, p, (c)->offset, (c)->wire_len)          \
			: nids_network_skb((c)->load_from, p, (c)->offset, (c)->wire_len))

#define parse_vlans_whole(c, p) call_tags(c, p)

int nids_network_xdp(struct xdp_md *ctx, struct nids_packet *p, __u32 offset, __u32 wire_len);
int nids_network_skb(struct __sk_buff *skb, struct nids_packet *p, __u32 offset, __u32 wire_len);

struct cursor;
static enum nids_parse_result call_tags(struct cursor *c, struct nids_packet *p);

#include "frame.h"
#include "hook.h"
#include "parse/parse.h"

/* Returns the offset after the tags, or a negated parse result. The verifier checks it once for the
 * frame and for the frame inside a tunnel.
 */
static __always_inline int read_tags(struct cursor *c, struct nids_packet *p)
{
	enum nids_parse_result result = p ? parse_vlans(c, p) : NIDS_PARSE_NOT_IP;

	return result == NIDS_PARSE_OK ? (int)c->offset : -(int)result;
}

__noinline int nids_tags_xdp(struct xdp_md *ctx, struct nids_packet *p, __u32 offset,
			     __u32 wire_len)
{
	return read_tags(&(struct cursor){.load_from = ctx,
					  .offset = offset,
					  .wire_len = wire_len,
					  .reading = WHOLE,
					  .is_xdp = 1},
			 p);
}

__noinline int nids_tags_skb(struct __sk_buff *skb, struct nids_packet *p, __u32 offset,
			     __u32 wire_len, __u32 tags_beside)
{
	return read_tags(&(struct cursor){.load_from = skb,
					  .offset = offset,
					  .wire_len = wire_len,
					  .reading = WHOLE,
					  .is_xdp = 0,
					  .tags_beside = tags_beside != 0},
			 p);
}

static __always_inline enum nids_parse_result call_tags(struct cursor *c, struct nids_packet *p)
{
	int end;

	if (!is_tag(p->ether_type))
		return NIDS_PARSE_OK;
	end = c->is_xdp ? nids_tags_xdp(c->load_from, p, c->offset, c->wire_len)
			: nids_tags_skb(c->load_from, p, c->offset, c->wire_len, c->tags_beside);
	if (end < 0)
		return -end;
	c->offset = end;
	return NIDS_PARSE_OK;
}

/* See struct cursor. A capture may have been taken before packets were cut into segments. Of a live
 * frame only a socket buffer says so.
 */
static __always_inline int zero_means_rest(const void *ctx, int is_xdp)
{
	return is_xdp ? nids_packet_time : ((const struct __sk_buff *)ctx)->gso_size != 0;
}

static __always_inline int read_network(struct cursor *c, struct nids_packet *p)
{
	return p ? parse_network(c, p) : NIDS_PARSE_NOT_IP;
}

__noinline int nids_network_xdp(struct xdp_md *ctx, struct nids_packet *p, __u32 offset,
				__u32 wire_len)
{
	return read_network(&(struct cursor){.load_from = ctx,
					     .offset = offset,
					     .wire_len = wire_len,
					     .reading = WHOLE,
					     .is_xdp = 1,
					     .zero_means_rest = zero_means_rest(ctx, 1)},
			    p);
}

__noinline int nids_network_skb(struct __sk_buff *skb, struct nids_packet *p, __u32 offset,
				__u32 wire_len)
{
	return read_network(&(struct cursor){.load_from = skb,
					     .offset = offset,
					     .wire_len = wire_len,
					     .reading = WHOLE,
					     .is_xdp = 0,
					     .zero_means_rest = zero_means_rest(skb, 0)},
			    p);
}

static __always_inline struct cursor helper_cursor(void *ctx, const struct hook *h, int is_xdp)
{
	return (struct cursor){
	    .load_from = ctx, .wire_len = h->wire_len, .reading = WHOLE, .is_xdp = is_xdp};
}

static __always_inline struct cursor plain_cursor(const void *data, const void *end,
						  const struct hook *h)
{
	return (struct cursor){.base = data, .end = end, .wire_len = h->wire_len, .reading = PLAIN};
}

static __always_inline __u32 xdp_buffer_len(const struct xdp_md *ctx)
{
	return (long)ctx->data_end - (long)ctx->data;
}

/* The length of the frame wherever no frame is split, and of its first buffer elsewhere. */
static __always_inline __u32 likely_xdp_len(struct xdp_md *ctx)
{
	return nids_frames_split ? bpf_xdp_get_buff_len(ctx) : xdp_buffer_len(ctx);
}

/* The exact length of any frame. Sets nids_frames_split if the frame is split. */
static __always_inline __u32 exact_xdp_len(struct xdp_md *ctx)
{
	__u32 len = bpf_xdp_get_buff_len(ctx);

	if (len != xdp_buffer_len(ctx) && !nids_frames_split)
		nids_frames_split = 1;
	return len;
}

/* `len` includes the bytes that a replay puts before the frame. */
static __always_inline struct hook hook_of_xdp(__u32 len, int in_packet_time)
{
	const struct nids_clock *clock = in_packet_time ? pass_clock() : 0;

	if (!clock)
		return (struct hook){.buffer_len = len, .wire_len = len, .is_ethernet = 1};
	return (struct hook){.buffer_len = len - NIDS_CLOCK_LEAD,
			     .wire_len = clock->wire_len,
			     .ether_type = clock->ether_type,
			     .l3_offset = clock->l3_offset & NIDS_CLOCK_LINK_MAX,
			     .is_ethernet = clock->is_ethernet};
}

static __always_inline struct hook hook_of_skb(const struct __sk_buff *skb)
{
	struct hook hook = {.buffer_len = skb->len, .wire_len = skb->len, .is_ethernet = 1};

	if (skb->vlan_present) {
		hook.tag_type = be16(skb->vlan_proto);
		hook.tag_tci = skb->vlan_tci;
	}
	return hook;
}

/* parse, with what the hook says. */
static __always_inline void parse_hooked(struct cursor *c, const struct hook *h,
					 struct nids_packet *p, struct nids_outer *outer)
{
	__builtin_memset(p, 0, sizeof(*p));
	__builtin_memset(outer, 0, sizeof(*outer));
	hook_give_tag(h, c, p);
	hook_give_link(h, c, p);
	p->result = parse_frame(c, p, outer, h->is_ethernet);
	hook_shift_offsets(h, p, outer);
}

static __always_inline struct gso gso_of_skb(const struct __sk_buff *skb)
{
	return (struct gso){.segments = skb->gso_segs, .segment_len = skb->gso_size};
}

#endif
