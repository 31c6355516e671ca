/* SPDX-License-Identifier: Apache-2.0 */
/* Task states of protected mode, and what a task's segments may be. SDM volume 3, 8.2 and 8.3; APM volume 2, 12.2. */
#ifndef HV_X86_TSS_H
#define HV_X86_TSS_H

#include "hv/x86/registers.h"

/* In the order in which both forms hold them. */
enum task_segment { TASK_ES, TASK_CS, TASK_SS, TASK_DS, TASK_FS, TASK_GS, TASK_SEGMENTS };

struct task_state {
	uint32_t cr3; /* of the wide form alone */
	uint32_t ip, flags;
	uint32_t gpr[8]; /* encoding order */
	uint16_t segment[TASK_SEGMENTS];
	uint16_t ldt;
	bool trap; /* of the wide form alone */
};

#define TSS_WIDE_BYTES   104
#define TSS_NARROW_BYTES 44

/* The image of a task, of 32 bits (`wide`) or of 16. */
static inline unsigned tss_bytes(bool wide)
{
	return wide ? TSS_WIDE_BYTES : TSS_NARROW_BYTES;
}

void tss_read(const uint8_t *image, bool wide, struct task_state *out);

/* Changes what a switch away from the task saves, and returns where in the image that begins; `bytes` are its length. */
unsigned tss_save(uint8_t *image, bool wide, const struct task_state *state, unsigned *bytes);

/*
 * The exception, with the selector as its code, that a segment of a new task raises
 * at privilege `cpl`; 0: none. `attributes` as in descriptor.h; only of a selector that
 * names something.
 */
unsigned tss_segment_fault(enum task_segment which, uint16_t selector, uint16_t attributes, unsigned cpl);

#endif
