/* SPDX-License-Identifier: Apache-2.0 */
/* Memory, time, random numbers. */
#include "tests/guest/lib/internal.h"

#define PM_TIMER_HZ   3579545ull
#define MEASURE_TICKS (PM_TIMER_HZ / 50)

static uint64_t memory_next, memory_end;
static uint64_t ticks_per_ms, first_tick;
static uint64_t random_state = 1;

void memory_set(uint64_t base, uint64_t bytes)
{
	memory_next = base;
	memory_end = base + bytes;
}

void *take_memory(uint64_t bytes, uint64_t align)
{
	uint64_t at = (memory_next + align - 1) & ~(align - 1);

	if (at + bytes > memory_end)
		guest_fail("no memory left for %lu bytes", bytes);
	memory_next = at + bytes;
	return memset((void *)at, 0, bytes);
}

/*
 * 24 bits of the ACPI timer are there on every machine. The counter is read before
 * the timer and after it: a CPU that does not run for a while in between makes time
 * look longer, and the waits with it, never shorter.
 */
void time_begin(void)
{
	uint64_t tsc = rdtsc();
	uint32_t begin = port_in(machine.pm_timer, 4);

	while (((port_in(machine.pm_timer, 4) - begin) & 0xffffff) < MEASURE_TICKS)
		cpu_pause();
	ticks_per_ms = (rdtsc() - tsc) * PM_TIMER_HZ / MEASURE_TICKS / 1000;
	if (!ticks_per_ms)
		guest_fail("the time-stamp counter stands still");
	first_tick = rdtsc();
}

uint64_t time_us(void)
{
	return (rdtsc() - first_tick) * 1000 / ticks_per_ms;
}

void wait_us(uint64_t us)
{
	WAIT_UNTIL(false, us);
}

void random_begin(void)
{
	random_state = option_number("seed", rdtsc() >> 4 & 0xffffffff);
	if (!random_state)
		random_state = 1;
	print("seed = %lu\n", random_state);
}

uint64_t random_next(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1dull;
}

uint64_t random_below(uint64_t bound)
{
	return bound ? (random_next() >> 8) % bound : 0;
}
