/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzzers of the disk mediators have in common: bytes become doings, and what must never be seen. */
#ifndef TESTS_FUZZ_DOINGS_H
#define TESTS_FUZZ_DOINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DOINGS 200

/* Sixteen bytes that the guest's buffers hold at the start, and no volume ever. */
static const uint8_t marker[16] = {
	0xc1, 0xea, 0x7e, 0x87, 'P', 'L', 'A', 'I', 'N', 'T', 'E', 'X', 'T', 0x01, 0x02, 0x03};

static inline void check(bool holds)
{
	if (!holds)
		abort();
}

static inline void *copy_of(const void *memory, size_t bytes)
{
	void *copy = malloc(bytes);

	check(copy);
	return memcpy(copy, memory, bytes);
}

/* The input, byte by byte; zeroes beyond its end. */
struct input {
	const uint8_t *data;
	size_t bytes;
};

static inline uint64_t take(struct input *in, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes && in->bytes; i++, in->data++, in->bytes--)
		value |= (uint64_t)*in->data << (8 * i);
	return value;
}

/* Up to 255 bytes somewhere in the guest's memory. */
static inline void take_memory(struct input *in, uint8_t *memory, uint32_t bytes)
{
	uint32_t at = (uint32_t)take(in, 3) % (bytes - 256), count = (uint32_t)take(in, 1);

	for (uint32_t i = 0; i < count; i++)
		memory[at + i] = (uint8_t)take(in, 1);
}

#endif
