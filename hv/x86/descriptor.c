/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/x86/descriptor.h"

struct segment segment_of(uint64_t descriptor)
{
	struct segment segment = {
		.attributes = (uint16_t)(descriptor >> 40 & 0xf0ff),
		.limit = (uint32_t)((descriptor & 0xffff) | (descriptor >> 32 & 0xf0000)),
		.base = (descriptor >> 16 & 0xffffff) | (descriptor >> 32 & 0xff000000),
	};

	if (segment.attributes & SEGMENT_GRANULAR)
		segment.limit = segment.limit << 12 | 0xfff;
	return segment;
}

bool segment_read(const struct descriptor_table *gdt, uint16_t selector, struct segment *out)
{
	if (!(selector & ~3u) || (selector | 7u) > gdt->limit)
		return false;
	*out = segment_of(*(const uint64_t *)(gdt->base + (selector & ~7u)));
	return true;
}
