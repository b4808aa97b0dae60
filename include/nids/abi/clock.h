/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Packet time: what a replay tells its copy of the program about the frame under
 * way, because BPF_PROG_TEST_RUN can't. No attached program reads it.
 */
#ifndef NIDS_ABI_CLOCK_H
#define NIDS_ABI_CLOCK_H

#include "version.h"

/* Bytes in the buffer before the frame: TEST_RUN takes nothing shorter, so a frame
 * may have any length, and any link type. They are not counted.
 */
#define NIDS_CLOCK_LEAD 14

#define NIDS_CLOCK_LINK_MAX 31 /* bytes; a power of two less one */

struct nids_clock {
	__u64 now_ns;
	__u32 wire_len;	  /* bytes of the frame, of which the buffer may hold fewer */
	__u32 l3_offset;  /* bytes, <= NIDS_CLOCK_LINK_MAX, where there is no Ethernet header */
	__u16 ether_type; /* of what stands at l3_offset, host order */
	__u8 is_ethernet;
	__u8 reserved[5];
};
NIDS_ABI_SIZE(struct nids_clock, 24);

#endif
