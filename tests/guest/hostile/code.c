/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as code, at privilege level 3, one step at a time: it reaches the pages
 * of the window and nothing else. Trapped registers are read-only to it, so that
 * what it stores goes to the hypervisor's memory, to nobody, or to scratch memory.
 * Left out: code that goes on into a device's page, where an emulator gives up; it
 * goes on into the hypervisor's memory, or into nothing.
 */
#include "tests/guest/hostile/hostile.h"
#include "tests/guest/lib/lapic.h"
#include "tests/guest/lib/paging.h"

#define CODE_PAGE 0

static uint8_t *const window = (uint8_t *)WINDOW;

static void map_pages(struct fuzzer *f)
{
	volatile uint8_t *configuration = pci_ecam(0, (uint8_t)(places.hba >> 3), places.hba & 7);
	const uint64_t read_only = PAGE_PRESENT | PAGE_USER;

	window_page(f, CODE_PAGE, (uint64_t)f->scratch + SCRATCH_BYTES - PAGE, PAGE_ALL);
	window_page(f, 1, places.own, places.own && one_in(f, 2) ? PAGE_ALL : 0);
	window_page(f, 2, LAPIC_PAGE, read_only);
	window_page(f, 3, places.own ? places.own + draw_below(f, places.own_bytes / PAGE) * PAGE : places.above_ram, PAGE_ALL);
	window_page(f, 4, configuration ? (uint64_t)configuration : places.above_ram, read_only);
	window_page(f, 5, (uint64_t)f->scratch, one_in(f, 2) ? PAGE_ALL : read_only);
	window_page(f, 6, places.above_ram, PAGE_ALL);
	window_page(f, 7, places.abar, read_only);
}

static uint64_t draw_operand(struct fuzzer *f)
{
	uint64_t page = WINDOW + (f->index * WINDOW_EACH + 1 + draw_below(f, WINDOW_EACH - 1)) * PAGE;

	switch (draw_below(f, 8)) {
	case 0:
		return draw_value(f);
	case 1:
		return draw_below(f, 32);
	case 2:
		return page + PAGE - 1 - draw_below(f, 8);
	}
	return page + (draw_below(f, 0x180) & (one_in(f, 4) ? ~0ull : ~7ull));
}

void do_code(struct fuzzer *f)
{
	static const uint8_t opcodes[] = {0x88, 0x89, 0x8a, 0x8b, 0xc6, 0xc7, 0x01, 0x29, 0x31, 0x80, 0x81, 0x83, 0x86, 0x87,
		0x84, 0x85, 0xf6, 0xf7, 0xfe, 0xff, 0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xad, 0x63, 0xa0, 0xa1, 0xa2, 0xa3, 0x0f};
	static const uint8_t prefixes[] = {0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
	unsigned at = f->index * WINDOW_EACH * (unsigned)PAGE + (one_in(f, 4) ? (unsigned)PAGE - 1 - (unsigned)draw_below(f, 8) : 0);
	unsigned left = (unsigned)PAGE - at % (unsigned)PAGE, n = 0;
	uint8_t *code = window + at;
	struct run r;

	map_pages(f);
	for (unsigned i = 0; i < 32 && i < left; i++)
		code[i] = (uint8_t)draw(f);
	if (!one_in(f, 4)) {
		while (n < 4 && n + 2 < left && one_in(f, 3))
			code[n++] = prefixes[draw_below(f, sizeof(prefixes))];
		if (n + 1 < left && one_in(f, 2))
			code[n++] = (uint8_t)(0x40 | draw_below(f, 16));
		if (n < left)
			code[n] = opcodes[draw_below(f, sizeof(opcodes))];
	}
	run_prepare(&r, code);
	for (unsigned i = 0; i < 16; i++)
		r.gpr[i] = draw_operand(f);
	r.rflags |= RFLAGS_TF | (draw(f) & 0x8d5) | (one_in(f, 4) ? RFLAGS_DF : 0) | (one_in(f, 8) ? RFLAGS_AC : 0) |
		    (one_in(f, 2) ? RFLAGS_IF : 0);
	r.cs = one_in(f, 4) ? SELECTOR_USER_CODE32 : SELECTOR_USER_CODE64;
	r.ss = SELECTOR_USER_DATA;
	doing(f, "code", *(volatile uint64_t *)(left < 8 ? code - 8 + left : code), r.gpr[0], (uint64_t)code);
	run(&r);
}
