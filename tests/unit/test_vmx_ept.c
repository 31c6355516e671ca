/* SPDX-License-Identifier: Apache-2.0 */
/* Extended page tables, walked here by the processor's rules, and the memory types in them, from a model's MTRRs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/vmx/ept.h"
#include "hv/x86/mtrr.h"
#include "hv/x86/registers.h"

#define KIB   0x400ull
#define MIB   (KIB * KIB)
#define GIB1  (MIB * KIB)
#define PAGE  4096ull
#define LIMIT (8 * GIB1)
#define POOL  64u

#define UC 0
#define WC 1
#define WT 4
#define WB 6
#define VALID (1ull << 11)
#define SIZE(bytes) (0xfffffff000ull & ~((bytes) - 1) & ~0xfffull)

static struct {
	bool there;
	uint64_t cap, fallback, fixed[11], variable[20];
} cpu;

struct cpuid_result cpuid(uint32_t leaf, uint32_t subleaf)
{
	(void)subleaf;
	return (struct cpuid_result){0, 0, 0, leaf == 1 && cpu.there ? 1u << 12 : 0};
}

uint64_t read_cr4(void)
{
	return 0;
}

uint64_t rdmsr(uint32_t index)
{
	static const uint32_t fixed[11] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f};

	assert_true(cpu.there);
	if (index == MSR_MTRR_CAP)
		return cpu.cap;
	if (index == MSR_MTRR_DEFAULT)
		return cpu.fallback;
	for (unsigned i = 0; i < 11; i++)
		if (index == fixed[i])
			return cpu.fixed[i];
	assert_in_range(index, MSR_MTRR_BASE, MSR_MTRR_BASE + 2 * (cpu.cap & 0xff) - 1);
	return cpu.variable[index - MSR_MTRR_BASE];
}

/* A PC of 6 GiB with 2 of them below 4 GiB, a frame buffer at 3.5 GiB, and the VGA's window. */
static int pc(void **state)
{
	(void)state;
	memset(&cpu, 0, sizeof(cpu));
	cpu.there = true;
	cpu.cap = 1u << 8 | 10;
	cpu.fallback = 1u << 11 | 1u << 10 | UC;
	for (unsigned i = 0; i < 11; i++)
		cpu.fixed[i] = 0x0606060606060606ull;
	cpu.fixed[2] = 0; /* A0000h to BFFFFh */
	cpu.variable[0] = WB; /* 0 to 2 GiB */
	cpu.variable[1] = SIZE(2 * GIB1) | VALID;
	cpu.variable[2] = 4 * GIB1 | WB; /* 4 to 8 GiB */
	cpu.variable[3] = SIZE(4 * GIB1) | VALID;
	cpu.variable[4] = (2 * GIB1 - 8 * MIB) | UC; /* stolen memory on top of the lower RAM */
	cpu.variable[5] = SIZE(8 * MIB) | VALID;
	cpu.variable[6] = 0xe0000000 | WC;
	cpu.variable[7] = SIZE(256 * MIB) | VALID;
	cpu.variable[8] = WT; /* not valid */
	cpu.variable[9] = SIZE(GIB1);
	mtrr_read();
	return 0;
}

static void test_types(void **state)
{
	(void)state;
	assert_int_equal(mtrr_type(0, PAGE), WB);
	assert_int_equal(mtrr_type(0xa0000, PAGE), UC);
	assert_int_equal(mtrr_type(0xbf000, PAGE), UC);
	assert_int_equal(mtrr_type(0xc0000, PAGE), WB);
	assert_true(mtrr_type(0, 2 * MIB) < 0);
	assert_int_equal(mtrr_type(2 * MIB, 2 * MIB), WB);
	assert_int_equal(mtrr_type(2 * GIB1 - 8 * MIB, 2 * MIB), UC);
	assert_int_equal(mtrr_type(2 * GIB1 - 10 * MIB, 2 * MIB), WB);
	assert_true(mtrr_type(GIB1, GIB1) < 0);
	assert_int_equal(mtrr_type(2 * GIB1, GIB1), UC);
	assert_int_equal(mtrr_type(0xe0000000, 2 * MIB), WC);
	assert_true(mtrr_type(3 * GIB1, GIB1) < 0);
	assert_int_equal(mtrr_type(5 * GIB1, GIB1), WB);
	assert_int_equal(mtrr_type(8 * GIB1, GIB1), UC);
}

static void test_fixed_ranges(void **state)
{
	(void)state;
	cpu.fixed[0] = 0x0606060606060004ull; /* 0 to 64 KiB, and the next 64 */
	cpu.fixed[1] = 0x0606060606060604ull; /* 80000h to 83fffh, and so on */
	cpu.fixed[10] = 0x0500000000000000ull; /* the last page */
	mtrr_read();
	assert_int_equal(mtrr_type(0xf000, PAGE), WT);
	assert_int_equal(mtrr_type(0x10000, PAGE), UC);
	assert_int_equal(mtrr_type(0x20000, PAGE), WB);
	assert_int_equal(mtrr_type(0x83000, PAGE), WT);
	assert_int_equal(mtrr_type(0x84000, PAGE), WB);
	assert_int_equal(mtrr_type(0xff000, PAGE), 5);
	assert_int_equal(mtrr_type(0xfe000, PAGE), UC);
	/* All alike, but not as what lies behind them. */
	memset(cpu.fixed, UC, sizeof(cpu.fixed));
	mtrr_read();
	assert_true(mtrr_type(0, 2 * MIB) < 0);
	/* Turned off: the variable ones hold there, too. */
	cpu.fallback &= ~(1ull << 10);
	mtrr_read();
	assert_int_equal(mtrr_type(0xa0000, PAGE), WB);
	assert_int_equal(mtrr_type(0, 2 * MIB), WB);
}

static void test_ranges_that_meet(void **state)
{
	(void)state;
	cpu.variable[8] = 5 * GIB1 | WT;
	cpu.variable[9] = SIZE(GIB1) | VALID;
	cpu.variable[10] = 6 * GIB1 | WC;
	cpu.variable[11] = SIZE(GIB1) | VALID;
	mtrr_read();
	assert_int_equal(mtrr_type(5 * GIB1, GIB1), WT);
	assert_int_equal(mtrr_type(6 * GIB1, GIB1), UC); /* undefined: the safe one */
	assert_int_equal(mtrr_type(7 * GIB1, GIB1), WB);
}

static void test_turned_off(void **state)
{
	(void)state;
	cpu.fallback = WB;
	mtrr_read();
	assert_int_equal(mtrr_type(4 * GIB1, GIB1), UC);
	cpu.there = false;
	mtrr_read();
	assert_int_equal(mtrr_type(2 * GIB1, GIB1), WB);
}

/* SDM 29.3.2 and 29.3.3.1: what is not reserved, what would be misconfigured. Returns hpa | rights | type << 3. */
static uint64_t processor(const struct npt *npt, uint64_t gpa, uint64_t *page_bytes)
{
	const uint64_t *table = npt->root;

	for (unsigned shift = 39;; shift -= 9) {
		uint64_t entry = table[gpa >> shift & 511];
		bool page = shift == 12 || entry & 0x80;

		*page_bytes = 1ull << shift;
		if (!(entry & 7))
			return 0;
		assert_true(entry & 1);                         /* W or X without R */
		assert_false(entry & 0x7fefull << 48);          /* beyond addresses: of the ignored bits, ours alone */
		if (!page) {
			assert_false(entry & 0xf8);
			table = (const uint64_t *)(entry & 0xffffffffff000);
			continue;
		}
		assert_true(shift < 39);
		assert_false(entry & 0x40); /* the guest's PAT counts */
		assert_false(shift == 12 && entry & 0x80);
		assert_int_equal(entry & 0xffffffffff000 & (*page_bytes - 1), 0);
		return (entry & 0xffffffffff03f) | (gpa & (*page_bytes - 1) & ~0xfffull);
	}
}

/* An identity mapping up to LIMIT; the number of tables that it took. */
static uint32_t map_all(struct npt *npt, bool huge_pages)
{
	static uint8_t memory[POOL * PAGE] __attribute__((aligned(4096)));
	static struct npt_format format;
	static struct npt_pool pool;

	ept_fill_npt_format(&format, huge_pages);
	npt_pool_init(&pool, memory, POOL);
	assert_int_equal(npt_init(npt, &pool, LIMIT, &format), 0);
	return pool.used;
}

static void test_tables(void **state)
{
	struct npt npt;
	uint64_t bytes;

	(void)state;
	assert_in_range(map_all(&npt, true), 2, 8); /* split where types change, and nowhere else */
	for (uint64_t gpa = 0; gpa < LIMIT; gpa += gpa < 4 * MIB ? PAGE : MIB) {
		uint64_t seen = processor(&npt, gpa, &bytes);

		assert_int_equal(seen, gpa | (uint64_t)mtrr_type(gpa, PAGE) << 3 | 7);
		assert_int_equal(npt_lookup(&npt, gpa).access, NPT_ALL);
	}
	processor(&npt, 5 * GIB1, &bytes);
	assert_int_equal(bytes, GIB1);

	/* A trapped page, one that is shown in its place, one that cannot be fetched from. */
	assert_int_equal(npt_map(&npt, 0xfee00000, PAGE, 0xfee00000, NPT_READ), 0);
	assert_int_equal(processor(&npt, 0xfee00000, &bytes), 0xfee00000 | UC << 3 | 1);
	assert_int_equal(npt_lookup(&npt, 0xfee00000).access, NPT_READ);
	assert_int_equal(npt_map(&npt, 0xfee00000, PAGE, 0x5000, NPT_READ | NPT_WRITE), 0);
	assert_int_equal(processor(&npt, 0xfee00000, &bytes), 0x5000 | WB << 3 | 3);
	assert_int_equal(npt_map(&npt, 0xfee00000, PAGE, 0, 0), 0);
	assert_int_equal(processor(&npt, 0xfee00000, &bytes), 0);
	assert_int_equal(npt_map_same(&npt, 16 * MIB, 4 * MIB, 0x7000, NPT_READ), 0);
	assert_int_equal(processor(&npt, 19 * MIB, &bytes), 0x7000 | WB << 3 | 1);
}

/* As the older processors need them; every 1 GiB is a table. */
static void test_tables_of_small_pages(void **state)
{
	struct npt npt;
	uint64_t bytes;

	(void)state;
	assert_int_equal(map_all(&npt, false), 2 + 8 + 1);
	processor(&npt, 5 * GIB1, &bytes);
	assert_int_equal(bytes, 2 * MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_types, pc),
		cmocka_unit_test_setup(test_fixed_ranges, pc),
		cmocka_unit_test_setup(test_ranges_that_meet, pc),
		cmocka_unit_test_setup(test_turned_off, pc),
		cmocka_unit_test_setup(test_tables, pc),
		cmocka_unit_test_setup(test_tables_of_small_pages, pc),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
