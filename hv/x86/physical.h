/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory by its physical address, RAM or device: the host maps it one to one. Each
 * access is made once and with the width that is asked for. The host tests have a
 * header of the same functions over a model (tests/model/include).
 */
#ifndef HV_X86_PHYSICAL_H
#define HV_X86_PHYSICAL_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* `size` 1, 2, 4 or 8. */
static inline uint64_t physical_load(uint64_t address, unsigned size)
{
	switch (size) {
	case 1:
		return *(volatile uint8_t *)address;
	case 2:
		return *(volatile uint16_t *)address;
	case 4:
		return *(volatile uint32_t *)address;
	}
	return *(volatile uint64_t *)address;
}

static inline void physical_store(uint64_t address, unsigned size, uint64_t value)
{
	switch (size) {
	case 1:
		*(volatile uint8_t *)address = (uint8_t)value;
		return;
	case 2:
		*(volatile uint16_t *)address = (uint16_t)value;
		return;
	case 4:
		*(volatile uint32_t *)address = (uint32_t)value;
		return;
	}
	*(volatile uint64_t *)address = value;
}

/* Stores `value` if `expected` stands there, in one step; `size` 4 or 8. Whether it did. */
static inline bool physical_exchange(uint64_t address, unsigned size, uint64_t expected, uint64_t value)
{
	uint32_t expected32 = (uint32_t)expected;

	if (size == 8)
		return __atomic_compare_exchange_n((uint64_t *)address, &expected, value, false, __ATOMIC_SEQ_CST,
						   __ATOMIC_RELAXED);
	return __atomic_compare_exchange_n((uint32_t *)address, &expected32, (uint32_t)value, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/* Code: any number of bytes, in any widths. */
static inline void physical_copy(void *out, uint64_t address, uint32_t bytes)
{
	memcpy(out, (const void *)address, bytes);
}

#endif
