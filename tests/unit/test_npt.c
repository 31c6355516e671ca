/* SPDX-License-Identifier: Apache-2.0 */
/* Nested page tables against an array of pages, walked here by the format's own rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "hv/core/npt.h"
#include "hv/svm/npt_format.h"

#define KIB4  0x1000ull
#define MIB2  0x200000ull
#define GIB1  0x40000000ull
#define LIMIT (3 * GIB1)
#define PAGES (LIMIT / KIB4)

struct fixture {
	struct npt_pool pool;
	struct npt npt;
	struct npt_format format;
	uint8_t *memory;
	uint64_t *model; /* hpa | access, 0 when not present */
};

static void start(struct fixture *f, uint32_t pages, bool huge_pages)
{
	f->memory = aligned_alloc(KIB4, pages * KIB4);
	memset(f->memory, 0xa5, pages * KIB4);
	f->model = malloc(PAGES * sizeof(uint64_t));
	for (uint64_t i = 0; i < PAGES; i++)
		f->model[i] = i * KIB4 | NPT_ALL;
	npt_pool_init(&f->pool, f->memory, pages);
	svm_fill_npt_format(&f->format, huge_pages);
	assert_int_equal(npt_init(&f->npt, &f->pool, LIMIT, &f->format), 0);
}

static void stop(struct fixture *f)
{
	free(f->memory);
	free(f->model);
}

/* The processor's view of one page, as hpa | access; checks what the format demands on the way. */
static uint64_t hardware(const struct fixture *f, uint64_t gpa, uint64_t *page_bytes)
{
	const uint64_t *table = f->npt.root;
	for (unsigned shift = 39;; shift -= 9) {
		assert_in_range((uintptr_t)table, (uintptr_t)f->memory,
			(uintptr_t)f->memory + f->pool.used * KIB4 - 1);
		assert_int_equal((uintptr_t)table % KIB4, 0);
		uint64_t entry = table[(gpa >> shift) & 511];
		*page_bytes = 1ull << shift;
		if (!(entry & 1))
			return 0;
		assert_true(entry & 4);		       /* US */
		assert_false(entry & 0x18);	       /* PWT, PCD: the guest decides */
		bool large = shift == 12 || (entry & 0x80);
		assert_false(entry & (large ? 0x7ff0ull : 0x7fe0ull) << 48); /* reserved or ignored; one is ours */
		if (!large) {
			assert_true(entry & 2);
			assert_false(entry >> 63);
			table = (const uint64_t *)(uintptr_t)(entry & 0xffffffffff000);
			continue;
		}
		assert_true(shift <= 30);
		if (shift == 12)
			assert_false(entry & 0x80); /* PAT */
		if (shift == 30)
			assert_true(f->format.huge_pages);
		uint64_t base = entry & 0xffffffffff000;
		assert_int_equal(base & (*page_bytes - 1), 0);
		return (base | (gpa & (*page_bytes - 1) & ~0xfffull)) | NPT_READ |
		       (entry & 2 ? NPT_WRITE : 0) | (entry >> 63 ? 0 : NPT_EXECUTE);
	}
}

static void compare(const struct fixture *f, uint64_t first, uint64_t count)
{
	for (uint64_t i = first; i < first + count && i < PAGES; i++) {
		uint64_t page_bytes;
		uint64_t seen = hardware(f, i * KIB4, &page_bytes);
		if (seen != f->model[i])
			fail_msg("gpa %llx: %llx, not %llx", (unsigned long long)(i * KIB4),
				(unsigned long long)seen, (unsigned long long)f->model[i]);
		struct npt_translation t = npt_lookup(&f->npt, i * KIB4 + 0x123);
		assert_int_equal(t.access, seen & 7);
		assert_int_equal(t.page_bytes, page_bytes);
		if (t.access)
			assert_int_equal(t.hpa, (seen & ~7ull) + 0x123);
	}
}

static void model_map(
	struct fixture *f, uint64_t gpa, uint64_t bytes, uint64_t hpa, unsigned access, bool same)
{
	for (uint64_t at = 0; at < bytes; at += KIB4)
		f->model[(gpa + at) / KIB4] = access & NPT_READ ? (same ? hpa : hpa + at) | access : 0;
}

struct request {
	uint64_t gpa, bytes, hpa;
	unsigned access;
	bool same;
};

static int request_run(struct fixture *f, const struct request *r)
{
	return r->same ? npt_map_same(&f->npt, r->gpa, r->bytes, r->hpa, r->access)
		       : npt_map(&f->npt, r->gpa, r->bytes, r->hpa, r->access);
}

static uint64_t random_below(uint64_t n)
{
	return (((uint64_t)rand() << 31) ^ (uint64_t)rand()) % n;
}

static struct request random_request(void)
{
	static const uint64_t units[] = {KIB4, KIB4, 16 * KIB4, MIB2, MIB2, GIB1};
	static const unsigned accesses[] = {
		0, NPT_READ, NPT_READ | NPT_WRITE, NPT_READ | NPT_EXECUTE, NPT_ALL, NPT_ALL, NPT_WRITE};
	uint64_t unit = units[random_below(6)];
	struct request r = {.access = accesses[random_below(7)], .same = random_below(4) == 0};

	if (unit == GIB1) {
		r.gpa = random_below(3) * GIB1;
		r.bytes = GIB1;
	} else { /* crowded places, so that requests meet */
		r.gpa = (random_below(2) * GIB1 + random_below(6) * MIB2 + random_below(MIB2)) / unit * unit;
		r.bytes = (1 + random_below(9)) * unit;
	}
	switch (random_below(3)) {
	case 0:
		r.hpa = r.gpa;
		break;
	case 1:
		r.hpa = random_below(1 << 20) * unit;
		break;
	default:
		r.hpa = random_below(1 << 20) * KIB4;
	}
	r.hpa &= (1ull << 40) - 1 - 0xfff;
	return r;
}

static void property(unsigned seed, bool huge_pages)
{
	struct fixture f;
	srand(seed);
	start(&f, 4096, huge_pages);
	for (int i = 0; i < 400; i++) {
		struct request r = random_request();
		assert_int_equal(request_run(&f, &r), 0);
		model_map(&f, r.gpa, r.bytes, r.hpa, r.access, r.same);
		uint64_t first = r.gpa / KIB4 > 8 ? r.gpa / KIB4 - 8 : 0;
		compare(&f, first, r.bytes < 16 * MIB2 ? r.bytes / KIB4 + 16 : 64);
		if (i % 100 == 99)
			compare(&f, 0, PAGES);
	}
	stop(&f);
}

static void test_property(void **state)
{
	(void)state;
	unsigned seed = (unsigned)time(NULL);
	print_message("seed %u\n", seed);
	property(seed, true);
	property(seed + 1, false);
}

static void test_identity(void **state)
{
	(void)state;
	struct fixture f;
	uint64_t page_bytes;
	start(&f, 2, true);
	assert_int_equal(f.pool.used, 2);
	compare(&f, 0, PAGES);
	hardware(&f, GIB1, &page_bytes);
	assert_int_equal(page_bytes, GIB1);
	assert_int_equal(npt_lookup(&f.npt, LIMIT).access, 0);
	assert_int_equal(npt_lookup(&f.npt, 1ull << 48 | KIB4).access, 0);
	stop(&f);

	start(&f, 5, false);
	assert_int_equal(f.pool.used, 5);
	hardware(&f, GIB1, &page_bytes);
	assert_int_equal(page_bytes, MIB2);
	stop(&f);
}

/* 1 GiB breaks into 2 MiB, 2 MiB into 4 KiB, and only where it must. */
static void test_split(void **state)
{
	(void)state;
	struct fixture f;
	start(&f, 8, true);
	assert_int_equal(npt_map(&f.npt, GIB1 + 5 * KIB4, KIB4, GIB1 + 5 * KIB4, NPT_READ), 0);
	assert_int_equal(f.pool.used, 4);
	assert_int_equal(npt_lookup(&f.npt, 0).page_bytes, GIB1);
	assert_int_equal(npt_lookup(&f.npt, GIB1).page_bytes, KIB4);
	assert_int_equal(npt_lookup(&f.npt, GIB1 + 5 * KIB4).access, NPT_READ);
	assert_int_equal(npt_lookup(&f.npt, GIB1 + 6 * KIB4).access, NPT_ALL);
	assert_int_equal(npt_lookup(&f.npt, GIB1 + MIB2).page_bytes, MIB2);
	stop(&f);
}

/* 8 MiB of one page cost one table; again, nothing; a change of a part leaves the rest. */
static void test_shared(void **state)
{
	(void)state;
	struct fixture f;
	start(&f, 8, false);
	uint32_t before = f.pool.used;
	assert_int_equal(npt_map_same(&f.npt, 4 * MIB2, 4 * MIB2, 0x7000, NPT_READ), 0);
	assert_int_equal(f.pool.used, before + 1);
	assert_int_equal(npt_map_same(&f.npt, 8 * MIB2, MIB2, 0x7000, NPT_READ), 0);
	assert_int_equal(f.pool.used, before + 1);
	model_map(&f, 4 * MIB2, 5 * MIB2, 0x7000, NPT_READ, true);
	compare(&f, 0, PAGES);

	assert_int_equal(npt_map(&f.npt, 5 * MIB2 + KIB4, KIB4, 0x9000, NPT_ALL), 0);
	assert_int_equal(f.pool.used, before + 2);
	model_map(&f, 5 * MIB2 + KIB4, KIB4, 0x9000, NPT_ALL, false);
	compare(&f, 0, PAGES);

	assert_int_equal(npt_map(&f.npt, 6 * MIB2, MIB2, 6 * MIB2, NPT_ALL), 0);
	assert_int_equal(f.pool.used, before + 2);
	assert_int_equal(npt_lookup(&f.npt, 6 * MIB2).page_bytes, MIB2);
	stop(&f);
}

/* With n pages left, for every n below what a request needs, not one byte of the tree changes. */
static void test_exhaustion(void **state)
{
	(void)state;
	struct fixture f;
	unsigned seed = (unsigned)time(NULL);
	unsigned refused = 0;
	print_message("seed %u\n", seed);
	srand(seed);
	start(&f, 512, true);
	uint8_t *copy = malloc(512 * KIB4);
	for (int i = 0; i < 300 && f.pool.used < 480; i++) {
		struct request r = random_request();
		if (r.bytes == GIB1) /* may take 512 tables at once */
			r.bytes = MIB2;
		for (uint32_t left = 0;; left++) {
			uint32_t used = f.pool.used;
			memcpy(copy, f.memory, 512 * KIB4);
			f.pool.pages = used + left;
			if (request_run(&f, &r) == 0) {
				assert_int_equal(f.pool.used, used + left); /* it takes what it asked for */
				break;
			}
			refused++;
			assert_int_equal(f.pool.used, used);
			assert_memory_equal(copy, f.memory, 512 * KIB4);
		}
		model_map(&f, r.gpa, r.bytes, r.hpa, r.access, r.same);
	}
	assert_true(refused > 20);
	compare(&f, 0, PAGES);
	free(copy);
	stop(&f);
}

static void test_refused(void **state)
{
	(void)state;
	struct fixture f;
	struct npt npt;
	start(&f, 8, true);
	assert_int_equal(npt_map(&f.npt, 0x800, KIB4, 0, NPT_ALL), -1);
	assert_int_equal(npt_map(&f.npt, 0, 0x800, 0, NPT_ALL), -1);
	assert_int_equal(npt_map(&f.npt, 0, KIB4, 0x800, NPT_ALL), -1);
	assert_int_equal(npt_map(&f.npt, (1ull << 48) - KIB4, 2 * KIB4, 0, NPT_ALL), -1);
	assert_int_equal(npt_map(&f.npt, ~0xfffull, 2 * KIB4, 0, NPT_ALL), -1);
	assert_int_equal(npt_map(&f.npt, 0, KIB4, 1ull << 52, NPT_ALL), -1);
	assert_int_equal(npt_map(&f.npt, 0, 2 * KIB4, (1ull << 52) - KIB4, NPT_ALL), -1);
	assert_int_equal(npt_map(&f.npt, 0, 0, 0, 0), 0);
	compare(&f, 0, PAGES);
	uint32_t used = f.pool.used;
	f.pool.pages = used + 1;
	assert_int_equal(npt_init(&npt, &f.pool, LIMIT, &f.format), -1);
	assert_int_equal(f.pool.used, used);
	f.pool.pages = used;
	assert_int_equal(npt_init(&npt, &f.pool, LIMIT, &f.format), -1);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_exhaustion),
		cmocka_unit_test(test_property),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
