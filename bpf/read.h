/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a hook gives of a frame, and parse's way to read that by helper. */
#ifndef NIDS_READ_H
#define NIDS_READ_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define cursor_load(c, to, bytes)                                                                  \
	((c)->is_xdp ? bpf_xdp_load_bytes((c)->load_from, (c)->offset, to, bytes)                  \
		     : bpf_skb_load_bytes((c)->load_from, (c)->offset, to, bytes))

#include "frame.h"
#include "hook.h"
#include "parse/parse.h"

static __always_inline struct cursor helper_cursor(void *ctx, __u32 buffer_len, int is_xdp)
{
	return (struct cursor){
	    .load_from = ctx, .wire_len = buffer_len, .reading = WHOLE, .is_xdp = is_xdp};
}

static __always_inline struct cursor plain_cursor(const void *data, const void *end,
						  const struct hook *h)
{
	return (struct cursor){
	    .base = data, .end = end, .wire_len = h->buffer_len, .reading = PLAIN};
}

static __always_inline struct hook hook_of_skb(const struct __sk_buff *skb)
{
	struct hook hook = {.buffer_len = skb->len};

	if (skb->vlan_present) {
		hook.tag_type = be16(skb->vlan_proto);
		hook.tag_tci = skb->vlan_tci;
	}
	return hook;
}

static __always_inline struct gso gso_of_skb(const struct __sk_buff *skb)
{
	return (struct gso){.segments = skb->gso_segs, .segment_len = skb->gso_size};
}

#endif
