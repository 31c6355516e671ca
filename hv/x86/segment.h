/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of a memory operand by its segment. APM volume 2, 4.5, 4.7 and 4.12. */
#ifndef HV_X86_SEGMENT_H
#define HV_X86_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

/* What a segment register holds. */
struct segment {
	uint64_t base;
	uint32_t limit;      /* of the last byte, whatever the granularity */
	uint16_t attributes; /* bits 55:40 of the descriptor; 11:8, which are the limit's, are 0. Not present: unusable */
};

enum segment_rules {
	SEGMENT_REAL,      /* real and virtual 8086 mode: the limit alone counts */
	SEGMENT_PROTECTED, /* compatibility mode too */
	SEGMENT_LONG,      /* 64-bit mode: addresses have to be canonical, nothing else counts */
};

/*
 * Whether an access to `size` bytes at `offset` is allowed; `linear` is then where. `canonical_bits` (48, or 57 with five
 * levels of page tables) is used in 64-bit mode. Segments that have no base there are given with base 0.
 */
bool segment_allows(const struct segment *segment, enum segment_rules rules, unsigned canonical_bits, uint64_t offset,
	unsigned size, bool write, uint64_t *linear);

#endif
