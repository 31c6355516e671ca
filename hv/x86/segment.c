/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/x86/segment.h"

/* The type's bits mean other things for code and for data. */
#define CODE        0x0008u
#define EXPAND_DOWN 0x0004u /* data */
#define WRITABLE    0x0002u /* data */
#define READABLE    0x0002u /* code */
#define NOT_SYSTEM  0x0010u
#define PRESENT     0x0080u
#define BIG         0x4000u

static bool has_right(unsigned attributes, bool write)
{
	if ((attributes & (PRESENT | NOT_SYSTEM)) != (PRESENT | NOT_SYSTEM))
		return false;
	if (attributes & CODE)
		return !write && attributes & READABLE;
	return !write || attributes & WRITABLE;
}

/* An expand-down segment is what lies above the limit. */
static bool inside(const struct segment *segment, bool may_expand_down, uint64_t first, uint64_t last)
{
	if (may_expand_down && (segment->attributes & (CODE | EXPAND_DOWN)) == EXPAND_DOWN)
		return first > segment->limit && last <= (segment->attributes & BIG ? UINT32_MAX : UINT16_MAX);
	return last <= segment->limit;
}

static bool is_canonical(uint64_t linear, unsigned bits)
{
	return (uint64_t)((int64_t)(linear << (64 - bits)) >> (64 - bits)) == linear;
}

bool segment_allows(const struct segment *segment, enum segment_rules rules, unsigned canonical_bits, uint64_t offset,
	unsigned size, bool write, uint64_t *linear)
{
	*linear = segment->base + offset;
	if (rules == SEGMENT_LONG)
		return is_canonical(*linear, canonical_bits) && is_canonical(*linear + size - 1, canonical_bits);
	*linear = (uint32_t)*linear;
	if (rules == SEGMENT_PROTECTED && !has_right(segment->attributes, write))
		return false;
	return inside(segment, rules == SEGMENT_PROTECTED, offset, offset + size - 1);
}
