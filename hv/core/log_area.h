/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log's memory: at a fixed place of the reserved memory, which is at the same
 * address at each start. A warm reset leaves RAM as it is, so the next start finds
 * there what the last one has said, and keeps it beside its own.
 */
#ifndef HV_CORE_LOG_AREA_H
#define HV_CORE_LOG_AREA_H

#include <stdbool.h>
#include <stdint.h>

#define LOG_RING_BYTES  65536u
#define LOG_TEXT_BYTES  (LOG_RING_BYTES - 64)
#define LOG_AREA_OFFSET 0x80000ull /* from the reserved memory's first byte; the image ends before it */

/* How a start has ended, as far as the hypervisor saw it. */
enum log_end {
	LOG_END_UNSEEN, /* it runs, or the machine was reset or switched off beneath it */
	LOG_END_POWER_OFF,
	LOG_END_RESET,
	LOG_END_PANIC,
	LOG_ENDS
};

struct log_ring {
	uint64_t magic;
	uint64_t written; /* bytes ever; the ring holds the last LOG_TEXT_BYTES of them, byte n at n % LOG_TEXT_BYTES */
	uint32_t end;     /* enum log_end */
	uint32_t panic;   /* enum panic_number */
	uint8_t reserved[40];
	char text[LOG_TEXT_BYTES];
};
_Static_assert(sizeof(struct log_ring) == LOG_RING_BYTES, "found by another version of the program");

struct log_area {
	struct log_ring current, previous;
};

/*
 * At the start, before anything is logged: what was `current` becomes `previous`,
 * and an empty ring stands in its place. Where no log is found (the memory has been
 * used by others, or lost its contents) there is no previous one. What the memory
 * holds is trusted in nothing.
 */
void log_area_rotate(struct log_area *area);

/* Whether the ring holds a log. */
bool log_ring_exists(const struct log_ring *ring);

/*
 * Copies up to `bytes` of text from byte number `*sequence` on (moved up to the
 * oldest byte still held); returns how many.
 */
uint32_t log_ring_read(const struct log_ring *ring, uint64_t *sequence, void *out, uint32_t bytes);

#endif
