/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of the chipset and of nobody, and the hypervisor's memory. */
#include "tests/guest/hostile/hostile.h"
#include "tests/guest/lib/lapic.h"
#include "tests/guest/lib/paging.h"

#define IOAPIC		0xfec00000ull
#define IOAPIC_DATA	0x10
#define IOAPIC_INIT	5u
#define HPET		0xfed00000ull
#define HPET_TIMERS	0x100u
#define FLASH		0xffc00000ull
#define FIRST_VECTOR	32u
#define TIMER_PERIODIC	(1u << 17)
#define MODE		(7u << 8)
#define MODE_NMI	(4u << 8)

static uint32_t safe_vector(uint32_t value)
{
	if ((value & 0xff) < FIRST_VECTOR || (value & 0xff) == VECTOR_RUN_DONE)
		value = (value & ~0xffu) | VECTOR_WAKE;
	return value;
}

/*
 * Left out: writes to the command register, which are do_interrupt()'s; local
 * interrupts of any kind but fixed and NMI, as SMIs have no handler; a periodic
 * timer, which keeps an emulator busy; the legacy controller, whose vectors look
 * like exceptions.
 */
static bool lapic_filter(uint64_t offset, unsigned size, uint64_t *value)
{
	uint64_t reg = offset & ~0xfull;

	if (size != 4 || reg == LAPIC_ICR)
		return reg != LAPIC_ICR && reg != LAPIC_LVT_TIMER && size < 4;
	if (reg >= LAPIC_LVT_TIMER && reg <= LAPIC_LVT_ERROR) {
		*value = safe_vector((uint32_t)*value) & ~MODE & ~(reg == LAPIC_LVT_TIMER ? 7u << 17 : 0u);
		if (reg > LAPIC_LVT_LINT0 && *value & 1)
			*value |= MODE_NMI;
		if (reg == LAPIC_LVT_LINT0)
			*value |= LAPIC_MASKED;
	}
	return true;
}

/* Left out: SMIs, NMIs and what is reserved; INIT is not, it must not come this way. */
static bool ioapic_filter(uint64_t offset, unsigned size, uint64_t *value)
{
	if (size != 4 || offset % 4)
		return false;
	if (offset == IOAPIC_DATA)
		*value = safe_vector((uint32_t)*value) & ~((*value >> 8 & 7) == IOAPIC_INIT ? 0 : 6u << 8);
	return true;
}

/* Left out: periodic timers, and messages, which go to any address. */
static bool hpet_filter(uint64_t offset, unsigned size, uint64_t *value)
{
	if (size != 4 || offset % 4)
		return false;
	if (offset >= HPET_TIMERS && offset % 0x20 == 0)
		*value &= ~(1ull << 14 | 1ull << 3);
	return true;
}

static bool any_filter(uint64_t offset, unsigned size, uint64_t *value)
{
	(void)offset;
	(void)size;
	(void)value;
	return true;
}

/* The flash answers writes with another mode. */
static bool no_filter(uint64_t offset, unsigned size, uint64_t *value)
{
	(void)offset;
	(void)size;
	(void)value;
	return false;
}

void do_memory(struct fuzzer *f)
{
	const struct {
		uint64_t base;
		bool (*filter)(uint64_t offset, unsigned size, uint64_t *value);
	} targets[] = {
		{LAPIC_PAGE, lapic_filter},
		{IOAPIC, ioapic_filter},
		{HPET, hpet_filter},
		{FLASH, no_filter},
		{places.above_ram, any_filter},
		{places.above_ram + (draw_below(f, 1 << 12) << 12), any_filter},
		{1ull << 38, any_filter},
		{1ull << 46, any_filter},
		{LAPIC_PAGE + PAGE, any_filter},
	};
	unsigned which = (unsigned)draw_below(f, sizeof(targets) / sizeof(targets[0]));
	unsigned size = 1u << draw_below(f, 4);
	uint64_t offset = draw_below(f, one_in(f, 2) ? 0x400 : PAGE), value = draw_value(f);
	bool write = one_in(f, 2);

	if (!one_in(f, 4))
		offset &= ~(uint64_t)(targets[which].base == LAPIC_PAGE ? 15 : size - 1);
	if (write && !targets[which].filter(offset, size, &value))
		write = false;
	if (offset + size > PAGE)
		offset -= 8;
	doing(f, write ? "store" : "load", targets[which].base + offset, size, value);
	window_page(f, 1, targets[which].base, PAGE_ALL | PAGE_UNCACHED);
	try_access(WINDOW + (f->index * WINDOW_EACH + 1) * PAGE + offset, size, write, &value);
}

/* Reads as zeroes whatever was written; every page of it, and the edges. */
void do_own_memory(struct fuzzer *f)
{
	unsigned size = 1u << draw_below(f, 4);
	uint64_t offset = draw_below(f, PAGE - size + 1), value = draw_value(f) | 1;
	uint64_t page = one_in(f, 4) ? 0 : draw_below(f, places.own_bytes / PAGE + !places.own_bytes) * PAGE;
	uint8_t *at;

	if (!places.own)
		return;
	at = (uint8_t *)window_page(f, 2, places.own + page, PAGE_ALL) + offset;
	doing(f, "own memory", places.own + page + offset, size, value);
	if (one_in(f, 2))
		try_access((uint64_t)at, size, true, &value);
	value = UINT64_MAX;
	if (try_access((uint64_t)at, size, false, &value) == VECTOR_RUN_DONE && value)
		guest_fail("the hypervisor's memory at %lx reads as %lx", places.own + page + offset, value);
}
