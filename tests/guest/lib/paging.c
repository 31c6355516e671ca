/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/lib/paging.h"
#include "tests/guest/lib/internal.h"

#define ENTRIES        512
#define GIB            (1ull << 30)
#define LARGE_BYTES    (2ull << 20)
#define LOW_GIBS       4
#define CPUID_1G_PAGES (1u << 26)
#define CPUID_NX       (1u << 20)
#define CPUID_XSAVE    (1u << 26)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR0_NE         (1ull << 5)

static uint64_t *root;
static volatile uint64_t *window;

static uint64_t *new_table(void)
{
	return take_memory(4096, 4096);
}

static uint64_t large_pages(uint64_t gib)
{
	uint64_t *table = new_table();

	for (unsigned i = 0; i < ENTRIES; i++)
		table[i] = (gib * GIB + i * LARGE_BYTES) | PAGE_PRESENT | PAGE_WRITE | PAGE_LARGE;
	if (gib == WINDOW / GIB) {
		window = new_table();
		table[WINDOW % GIB / LARGE_BYTES] = (uint64_t)window | PAGE_ALL;
	}
	return (uint64_t)table | PAGE_ALL;
}

uint64_t paging_root(void)
{
	return (uint64_t)root;
}

uint64_t paging_cr4(void)
{
	return CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | (cpuid(1, 0).ecx & CPUID_XSAVE ? CR4_OSXSAVE : 0);
}

void paging_begin(void)
{
	bool huge = cpuid(0x80000001, 0).edx & CPUID_1G_PAGES;
	uint64_t *directory = new_table();

	root = new_table();
	root[0] = (uint64_t)directory | PAGE_ALL;
	for (uint64_t gib = 0; gib < ENTRIES; gib++) {
		if (gib < LOW_GIBS)
			directory[gib] = large_pages(gib);
		else if (huge)
			directory[gib] = gib * GIB | PAGE_PRESENT | PAGE_WRITE | PAGE_LARGE;
	}
	if (cpuid(0x80000001, 0).edx & CPUID_NX)
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
	write_cr4(paging_cr4());
	write_cr0(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG);
	write_cr3((uint64_t)root);
}

void window_flush(unsigned page)
{
	__asm__ volatile("invlpg (%0)" ::"r"(WINDOW + page * 4096ull) : "memory");
}

volatile uint64_t *window_entry(unsigned page)
{
	return &window[page];
}

void *window_map(unsigned page, uint64_t physical, uint64_t flags)
{
	window[page] = flags ? (physical & PAGE_ADDRESS) | flags : 0;
	window_flush(page);
	return (void *)(WINDOW + page * 4096ull);
}
