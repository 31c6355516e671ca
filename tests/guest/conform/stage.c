/* SPDX-License-Identifier: Apache-2.0 */
/* The pages that code under test runs on. */
#include "tests/guest/conform/conform.h"
#include "tests/guest/lib/ahci.h"

#define MEMORY_PAGES 8
#define DONE_BYTES   2

static uint8_t *memory;
static uint64_t device; /* to look for it takes hundreds of exits */

uint8_t *stage_memory(unsigned page)
{
	return memory + page * 4096;
}

void stage_set(bool user)
{
	uint64_t flags = PAGE_PRESENT | PAGE_WRITE | (user ? PAGE_USER : 0);

	if (!memory) {
		memory = take_memory(MEMORY_PAGES * 4096, 4096);
		device = (uint64_t)ahci_registers();
	}
	for (unsigned i = 0; i < WINDOW_PAGES; i++)
		window_map(i, i < MEMORY_PAGES ? (uint64_t)memory + i * 4096 : 0, i < MEMORY_PAGES ? flags : 0);
	window_map(STAGE_DEVICE, device, flags | PAGE_UNCACHED);
	window_map(STAGE_LAPIC, LAPIC_PAGE, flags | PAGE_UNCACHED);
	for (unsigned i = 0; i < RAM_BYTES; i++)
		stage_memory(STAGE_RAM)[i] = (uint8_t)(i * 7 + (i >> 8) + 1);
}

void snippet_prepare(struct run *r)
{
	run_prepare(r, (const void *)CODE);
	r->gpr[4] = STACK_TOP;
}

void snippet_prepare_user(struct run *r)
{
	snippet_prepare(r);
	r->cs = SELECTOR_USER_CODE64;
	r->ss = SELECTOR_USER_DATA;
}

void bytes_run(struct run *r, const uint8_t *bytes, unsigned count)
{
	static const uint8_t done[DONE_BYTES] = {0xcd, VECTOR_RUN_DONE};
	uint8_t *code = stage_memory(STAGE_CODE);

	memcpy(code, bytes, count);
	memcpy(code + count, done, sizeof(done));
	run(r);
}

void snippet_run(struct run *r, const struct snippet *snippet)
{
	bytes_run(r, snippet->begin, (unsigned)(snippet->end - snippet->begin));
}
