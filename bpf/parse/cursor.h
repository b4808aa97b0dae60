/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The place in a frame that parse has come to, and the one way to read from it. */
#ifndef NIDS_PARSE_CURSOR_H
#define NIDS_PARSE_CURSOR_H

#include "nids/abi/packet.h"
#include "wire.h"

/* The same functions are compiled for two readings of a frame.
 *
 * PLAIN reads packet memory in place, and gives all that is out of the ordinary
 * back as NIDS_PARSE_DEFERRED: options, fragments, extension headers, tunnels,
 * lengths that lie. What is left is nearly all traffic, and little code.
 *
 * WHOLE reads anything. In the kernel it copies each header by helper, since only
 * a helper reaches beyond the linear part of a frame; so the verifier has no
 * pointer to follow, and no packet can lead it far.
 */
enum reading { PLAIN, WHOLE };

/* Beside the results of abi/lists.h, and never counted. */
#define NIDS_PARSE_DEFERRED NIDS_PARSE_RESULT_COUNT

struct cursor {
	const void *base;     /* the frame's first byte */
	const void *end;      /* of what may be read in place */
	void *load_from;      /* the context, where bytes come by helper */
	__u32 offset;	      /* bytes from the frame's first byte */
	__u32 wire_len;	      /* bytes of the frame; in a tunnel, to the end of the inner packet */
	enum reading reading; /* a constant where it is set, so one branch is compiled */
	__u8 is_xdp;	      /* the context's type */
	/* The packet may not have been cut into segments yet. An IP length of 0 then means the rest
	 * of the frame. Otherwise Linux drops such a packet.
	 */
	__u8 zero_means_rest;
	__u8 tags_beside; /* VLAN tags that the hook took off the frame, 0 or 1 */
};

/* cursor_load(c, to, bytes): copies from c->offset; non-zero where it can't. A
 * program defines it by helper before it includes this header.
 */
#ifndef cursor_load
#define cursor_load(c, to, bytes)                                                                  \
	((c)->base + (c)->offset + (bytes) > (c)->end                                              \
	     ? -1                                                                                  \
	     : (__builtin_memcpy(to, (c)->base + (c)->offset, bytes), 0))
#endif

/* Copies `bytes` to `to`, and stays where it is. */
static __always_inline enum nids_parse_result cursor_peek(const struct cursor *c, void *to,
							  const __u32 bytes)
{
	if (c->reading == PLAIN) {
		const void *at = c->base + c->offset;

		if (at + bytes > c->end)
			return (enum nids_parse_result)NIDS_PARSE_DEFERRED;
		__builtin_memcpy(to, NIDS_ALIGNED(at), bytes);
		return NIDS_PARSE_OK;
	}
	if (c->offset + bytes > c->wire_len)
		return NIDS_PARSE_TRUNCATED;
	return cursor_load(c, to, bytes) ? NIDS_PARSE_UNAVAILABLE : NIDS_PARSE_OK;
}

/* The same for a length that only the packet tells, 0 < bytes <= room, a constant.
 * Read whole only; `to` is zeroed.
 */
static __always_inline enum nids_parse_result cursor_peek_up_to(const struct cursor *c, void *to,
								__u32 bytes, const __u32 room)
{
	if (c->offset + bytes > c->wire_len)
		return NIDS_PARSE_TRUNCATED;
	/* One compare of bytes - 1: a kernel before 6.11 does not carry a bound back. */
	bytes--;
	__asm__ volatile("" : "+r"(bytes));
	if (bytes >= room)
		return NIDS_PARSE_BAD_LENGTH;
	bytes++;
	return cursor_load(c, to, bytes) ? NIDS_PARSE_UNAVAILABLE : NIDS_PARSE_OK;
}

#endif
