/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The place in a frame that parse has come to, and the one bounds check. */
#ifndef NIDS_PARSE_CURSOR_H
#define NIDS_PARSE_CURSOR_H

#include "nids/abi/packet.h"
#include "wire.h"

/* `pos` never passes `end`, the end of what may be read. `wire_len` is what the
 * frame has: longer than what may be read where a hook holds only the linear
 * part, or a capture file a snapped one.
 */
struct cursor {
	const void *pos;
	const void *end;
	__u32 offset;	/* bytes from the frame's first byte to `pos` */
	__u32 wire_len; /* bytes of the frame */
};

/* Whether the next `bytes` may not be read; cursor_miss() then says why. */
#define cursor_lacks(c, bytes) ((c)->pos + (bytes) > (c)->end)

static __always_inline enum nids_parse_result cursor_miss(const struct cursor *c, __u32 bytes)
{
	return c->offset + bytes > c->wire_len ? NIDS_PARSE_TRUNCATED : NIDS_PARSE_UNAVAILABLE;
}

static __always_inline void cursor_skip(struct cursor *c, __u32 bytes)
{
	c->pos += bytes;
	c->offset += bytes;
}

#endif
