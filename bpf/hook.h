/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a hook says of a frame beside its bytes: its length, a VLAN tag that the kernel
 * took off it (tc), and, of a replayed one, its link header.
 */
#ifndef NIDS_HOOK_H
#define NIDS_HOOK_H

#include "nids/abi/event.h"
#include "parse/cursor.h"

#define VLAN_TAG_BYTES 4

struct hook {
	__u32 buffer_len; /* bytes of the frame in the buffer, a tag beside it not among them */
	__u32 wire_len;	  /* the same of the whole frame, of which a capture file may lack some */
	__u16 tag_type;	  /* ETHER_VLAN or ETHER_QINQ; 0: no tag beside the frame */
	__u16 tag_tci;
	__u16 ether_type; /* of what stands at l3_offset, where there is no Ethernet header */
	__u8 l3_offset;
	__u8 is_ethernet;
};

static __always_inline __u32 hook_tag_bytes(const struct hook *h)
{
	return h->tag_type ? VLAN_TAG_BYTES : 0;
}

/* Before parse, which begins at the link header, or behind one that it does not know. */
static __always_inline void hook_give_link(const struct hook *h, struct cursor *c,
					   struct nids_packet *p)
{
	if (h->is_ethernet)
		return;
	p->ether_type = h->ether_type;
	c->offset = h->l3_offset;
}

/* Before parse: the tag beside the frame is the outermost. A tag with id 0 is no VLAN. */
static __always_inline void hook_give_tag(const struct hook *h, struct cursor *c,
					  struct nids_packet *p)
{
	__u16 id = h->tag_tci & VLAN_ID;

	if (!h->tag_type)
		return;
	c->tags_beside = 1;
	p->vlan[0] = id;
	p->vlan_count = id != 0;
}

/* After parse: offsets as they are with the tag back in its place. */
static __always_inline void hook_shift_offsets(const struct hook *h, struct nids_packet *p,
					       struct nids_outer *outer)
{
	if (!h->tag_type)
		return;
	if (outer->l3_offset)
		outer->l3_offset += VLAN_TAG_BYTES;
	if (p->l3_offset)
		p->l3_offset += VLAN_TAG_BYTES;
	if (p->l4_offset)
		p->l4_offset += VLAN_TAG_BYTES;
	if (p->payload_offset)
		p->payload_offset += VLAN_TAG_BYTES;
}

#endif
