/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/x86/tss.h"
#include <string.h>

/* Offsets in the two forms. */
#define WIDE_CR3      0x1c
#define WIDE_IP       0x20
#define WIDE_LDT      0x60
#define WIDE_TRAP     0x64
#define NARROW_IP     0x0e
#define NARROW_LDT    0x2a
#define NARROW_SEGMENTS 4 /* ES to DS */
#define WORDS         10  /* ip, flags, eight registers: then the segments */

/* Of a descriptor's attributes. */
#define PRESENT    0x80u
#define NOT_SYSTEM 0x10u
#define CODE       0x08u
#define CONFORMING 0x04u
#define READABLE   0x02u /* of code; of data: writable */

static uint32_t get(const uint8_t *at, unsigned bytes)
{
	uint32_t value = 0;

	memcpy(&value, at, bytes);
	return value;
}

void tss_read(const uint8_t *image, bool wide, struct task_state *out)
{
	unsigned width = wide ? 4 : 2;
	const uint8_t *at = image + (wide ? WIDE_IP : NARROW_IP);

	memset(out, 0, sizeof(*out));
	out->ip = get(at, width);
	out->flags = get(at + width, width);
	for (unsigned i = 0; i < 8; i++)
		out->gpr[i] = get(at + (2 + i) * width, width);
	for (unsigned i = 0; i < (wide ? TASK_SEGMENTS : NARROW_SEGMENTS); i++)
		out->segment[i] = (uint16_t)get(at + (WORDS + i) * width, 2);
	out->ldt = (uint16_t)get(image + (wide ? WIDE_LDT : NARROW_LDT), 2);
	out->cr3 = wide ? get(image + WIDE_CR3, 4) : 0;
	out->trap = wide && image[WIDE_TRAP] & 1;
}

unsigned tss_save(uint8_t *image, bool wide, const struct task_state *state, unsigned *bytes)
{
	unsigned width = wide ? 4 : 2, first = wide ? WIDE_IP : NARROW_IP;
	unsigned segments = wide ? TASK_SEGMENTS : NARROW_SEGMENTS;
	uint8_t *at = image + first;

	memcpy(at, &state->ip, width);
	memcpy(at + width, &state->flags, width);
	for (unsigned i = 0; i < 8; i++)
		memcpy(at + (2 + i) * width, &state->gpr[i], width);
	for (unsigned i = 0; i < segments; i++)
		memcpy(at + (WORDS + i) * width, &state->segment[i], 2);
	*bytes = (WORDS + segments) * width;
	return first;
}

static bool code_allowed(uint16_t attributes, unsigned dpl, unsigned rpl)
{
	return attributes & CODE && (attributes & CONFORMING ? dpl <= rpl : dpl == rpl);
}

static bool stack_allowed(uint16_t attributes, unsigned dpl, unsigned rpl, unsigned cpl)
{
	return !(attributes & CODE) && attributes & READABLE && dpl == cpl && rpl == cpl;
}

static bool data_allowed(uint16_t attributes, unsigned dpl, unsigned rpl, unsigned cpl)
{
	if (attributes & CODE && !(attributes & READABLE))
		return false;
	return (attributes & CODE && attributes & CONFORMING) || (dpl >= rpl && dpl >= cpl);
}

unsigned tss_segment_fault(enum task_segment which, uint16_t selector, uint16_t attributes, unsigned cpl)
{
	unsigned dpl = attributes >> 5 & 3, rpl = selector & 3;
	bool allowed = which == TASK_CS   ? code_allowed(attributes, dpl, rpl)
		       : which == TASK_SS ? stack_allowed(attributes, dpl, rpl, cpl)
					  : data_allowed(attributes, dpl, rpl, cpl);

	if (!(attributes & NOT_SYSTEM) || !allowed)
		return EXCEPTION_TS;
	if (!(attributes & PRESENT))
		return which == TASK_SS ? EXCEPTION_SS : EXCEPTION_NP;
	return 0;
}
