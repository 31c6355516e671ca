/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page walk on trees that are built here, level by level, with random rights;
 * what must come out is worked out from the rights given, not from the tables.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "hv/x86/registers.h"
#include "hv/x86/walk.h"

#define P   1ull
#define RW  2ull
#define US  4ull
#define A   0x20ull
#define D   0x40ull
#define PS  0x80ull
#define NX  (1ull << 63)
#define ALL (P | RW | US)

#define MEMORY_BYTES 0x10000u

static uint8_t memory[MEMORY_BYTES];
static unsigned updates, interfere; /* `interfere`: so many updates find the entry changed */

static int load(void *context, uint64_t gpa, unsigned size, uint64_t *value)
{
	(void)context;
	assert_true(size == 4 || size == 8);
	assert_int_equal(gpa % size, 0);
	if (gpa > MEMORY_BYTES - size)
		return -1;
	*value = 0;
	memcpy(value, memory + gpa, size);
	return 0;
}

static int update(void *context, uint64_t gpa, unsigned size, uint64_t expected, uint64_t value)
{
	uint64_t now;
	(void)context;
	updates++;
	assert_int_equal(load(NULL, gpa, size, &now), 0);
	if (interfere) {
		interfere--;
		now ^= 1ull << 9; /* another CPU writes an ignored bit */
		memcpy(memory + gpa, &now, size);
	}
	if (now != expected)
		return 1;
	memcpy(memory + gpa, &value, size);
	return 0;
}

static const struct walk_memory tables = {NULL, load, update};

/* The formats, with the sizes of page each has; `levels` down to the page. */
struct shape {
	const char *name;
	uint64_t cr4, efer;
	unsigned entry_bytes, levels, page_shift;
	unsigned index_shift[5]; /* from the root */
	unsigned index_bits[5];
	unsigned pae_root; /* 1: the root has neither rights nor A */
};

static const struct shape shapes[] = {
	{"32-bit 4K",  CR4_PSE,	       0,			  4, 2, 12, {22, 12},	      {10, 10},	0},
	{"32-bit 4M",  CR4_PSE,	       0,			  4, 1, 22, {22},		  {10},		0},
	{"PAE 4K",	   CR4_PAE,	    EFER_NXE,	      8, 3, 12, {30, 21, 12},	      {2, 9, 9},	 1},
	{"PAE 2M",	   CR4_PAE,	    EFER_NXE,	      8, 2, 21, {30, 21},		  {2, 9},	  1},
	{"long 4K",    CR4_PAE,	     EFER_NXE | EFER_LMA, 8, 4, 12, {39, 30, 21, 12},     {9, 9, 9, 9}, 0},
	{"long 2M",    CR4_PAE,	     EFER_NXE | EFER_LMA, 8, 3, 21, {39, 30, 21},	  {9, 9, 9},    0},
	{"long 1G",    CR4_PAE,	     EFER_NXE | EFER_LMA, 8, 2, 30, {39, 30},	      {9, 9},	      0},
	{"5-level 4K", CR4_PAE | CR4_LA57, EFER_NXE | EFER_LMA, 8, 5, 12, {48, 39, 30, 21, 12},
		{9, 9, 9, 9, 9},										     0},
	{"5-level 1G", CR4_PAE | CR4_LA57, EFER_NXE | EFER_LMA, 8, 3, 30, {48, 39, 30},		{9, 9, 9},	   0},
};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

struct tree {
	const struct shape *shape;
	struct walk_cpu cpu;
	uint64_t linear, page; /* the address asked for, and the page it lies in */
	uint64_t at[5];	       /* where the entries are */
};

static uint64_t entry_get(const struct tree *t, unsigned level)
{
	uint64_t value = 0;
	memcpy(&value, memory + t->at[level], t->shape->entry_bytes);
	return value;
}

static void entry_set(const struct tree *t, unsigned level, uint64_t value)
{
	memcpy(memory + t->at[level], &value, t->shape->entry_bytes);
}

/* A path of tables for a random address, every level granting everything. */
static void build(struct tree *t, const struct shape *shape)
{
	*t = (struct tree){.shape = shape};
	uint64_t table = 0x1000;
	t->linear = (uint64_t)rand() << 40 ^ (uint64_t)rand() << 20 ^ (uint64_t)rand();
	if (!(shape->efer & EFER_LMA))
		t->linear &= 0xffffffff;
	/* 32 bits of physical address, 40 with PSE-36, 52 elsewhere */
	unsigned address_bits = shape->entry_bytes == 8 ? 52 : shape->page_shift == 22 ? 40 : 32;
	unsigned large_shift = shape->entry_bytes == 8 ? 30 : 22;
	t->page = (uint64_t)rand() % (1ull << (address_bits - large_shift)) << large_shift;
	if (shape->page_shift == 12)
		t->page += (uint64_t)(rand() % 512) << 12;
	t->cpu = (struct walk_cpu){.cr0 = CR0_PE | CR0_PG | CR0_WP, .cr4 = shape->cr4, .efer = shape->efer};
	t->cpu.cr3 = table | (shape->pae_root ? 0x7e0 : 0) | 0x18; /* with PWT and PCD */
	if (shape->pae_root)
		table += 0x7e0;
	memset(memory, 0, sizeof(memory));
	for (unsigned level = 0; level < shape->levels; level++) {
		bool last = level == shape->levels - 1;
		uint64_t index =
			t->linear >> shape->index_shift[level] & ((1u << shape->index_bits[level]) - 1);
		uint64_t next = 0x1000 * (level + 2);
		uint64_t entry = ALL | next;
		t->at[level] = table + index * shape->entry_bytes;
		if (last)
			entry = ALL | t->page | (shape->page_shift > 12 ? PS : 0);
		if (last && shape->page_shift == 22) /* PSE-36: address bits above 31 from bit 13 up */
			entry = (uint32_t)entry | (t->page >> 32) << 13;
		if (shape->pae_root && level == 0)
			entry &= ~(RW | US);
		entry_set(t, level, entry);
		table = next;
	}
}

static int run(struct tree *t, enum walk_access access, struct walk_result *result)
{
	return walk_translate(&t->cpu, &tables, t->linear, access, result);
}

static void expect_ok(struct tree *t, enum walk_access access)
{
	struct walk_result result;
	uint64_t inside = (1ull << t->shape->page_shift) - 1;
	assert_int_equal(run(t, access, &result), 0);
	assert_int_equal(result.gpa, t->page | (t->linear & inside));
	assert_int_equal(result.page_bytes, inside + 1);
}

static void expect_fault(struct tree *t, enum walk_access access, uint32_t error)
{
	struct walk_result result;
	uint8_t before[MEMORY_BYTES];
	memcpy(before, memory, sizeof(memory));
	assert_int_equal(run(t, access, &result), 1);
	assert_int_equal(result.fault_error, error);
	assert_memory_equal(before, memory, sizeof(memory)); /* a refused access marks nothing */
}

static void test_no_paging(void **state)
{
	(void)state;
	struct walk_cpu cpu = {.cr0 = CR0_PE, .cr4 = CR4_PAE, .cpl = 3};
	struct walk_result result;
	assert_int_equal(walk_translate(&cpu, &tables, 0x1ffffffffull, WALK_WRITE, &result), 0);
	assert_int_equal(result.gpa, 0xffffffff);
	assert_int_equal(result.page_bytes, 4096);
}

/* Rights at random levels, in random processor states, against the rules read from the manual once more. */
static void test_rights(void **state)
{
	(void)state;
	unsigned seed = (unsigned)time(NULL), refused = 0;
	print_message("seed %u\n", seed);
	srand(seed);
	for (unsigned i = 0; i < 60000; i++) {
		struct tree t;
		build(&t, &shapes[i % SHAPES]);
		const struct shape *s = t.shape;
		bool writable = true, user_page = true, no_fetch = false, absent = false;
		for (unsigned level = s->pae_root; level < s->levels; level++) {
			uint64_t entry = entry_get(&t, level);
			if (rand() % 6 == 0) {
				entry &= ~RW;
				writable = false;
			}
			if (rand() % 6 == 0) {
				entry &= ~US;
				user_page = false;
			}
			if (rand() % 8 == 0 && s->entry_bytes == 8) {
				entry |= NX;
				no_fetch = true;
			}
			if (rand() % 40 == 0) {
				entry &= ~P;
				absent = true;
			}
			entry_set(&t, level, entry);
		}
		bool user = rand() % 2, wp = rand() % 2, smep = rand() % 2, smap = rand() % 2,
		     ac = rand() % 2;
		enum walk_access access = (enum walk_access)(rand() % 3);
		t.cpu.cpl = user ? 3 : (uint8_t)(rand() % 3);
		if (!wp)
			t.cpu.cr0 &= ~CR0_WP;
		t.cpu.cr4 |= (smep ? CR4_SMEP : 0) | (smap ? CR4_SMAP : 0);
		t.cpu.rflags = ac ? RFLAGS_AC : 0;

		bool ok = true;
		if (user && !user_page)
			ok = false;
		if (access == WALK_WRITE && !writable && (user || wp))
			ok = false;
		if (access == WALK_FETCH && (no_fetch || (smep && !user && user_page)))
			ok = false;
		if (access != WALK_FETCH && smap && !user && user_page && !ac)
			ok = false;
		uint32_t error = (absent ? 0 : 1) | (access == WALK_WRITE ? 2 : 0) | (user ? 4 : 0);
		if (access == WALK_FETCH && (s->entry_bytes == 8 || smep))
			error |= 16;
		if (ok && !absent) {
			expect_ok(&t, access);
		} else {
			expect_fault(&t, access, error);
			refused++;
		}
	}
	assert_in_range(refused, 10000, 50000);
}

static void test_accessed_dirty(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SHAPES; i++)
		for (enum walk_access access = WALK_READ; access <= WALK_FETCH; access++) {
			struct tree t;
			uint64_t before[5];
			build(&t, &shapes[i]);
			for (unsigned level = 0; level < t.shape->levels; level++)
				before[level] = entry_get(&t, level);
			expect_ok(&t, access);
			for (unsigned level = 0; level < t.shape->levels; level++) {
				uint64_t mark = level < t.shape->pae_root ? 0 : A;
				if (level == t.shape->levels - 1 && access == WALK_WRITE)
					mark |= D;
				assert_int_equal(entry_get(&t, level), before[level] | mark);
			}
			updates = 0;
			expect_ok(&t, access);
			assert_int_equal(updates, 0); /* marked already: nothing is written */
		}
}

/* Bits above the processor's physical addresses are reserved, those below are not. */
static void test_physical_bits(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SHAPES; i++)
		for (unsigned level = 0; level < shapes[i].levels; level++)
			for (unsigned bit = 38; shapes[i].entry_bytes == 8 && bit < 52; bit++) {
				struct tree t;
				build(&t, &shapes[i]);
				t.cpu.physical_bits = 40;
				uint64_t last = entry_get(&t, t.shape->levels - 1) & ~(0xfffull << 40);
				entry_set(&t, t.shape->levels - 1, last);
				t.page &= (1ull << 40) - 1;
				if (level != t.shape->levels - 1 && bit < 40)
					continue;
				entry_set(&t, level, entry_get(&t, level) ^ 1ull << bit);
				t.page ^= level == t.shape->levels - 1 ? 1ull << bit : 0;
				if (bit >= 40)
					expect_fault(&t, WALK_READ, 8 | 1);
				else
					expect_ok(&t, WALK_READ);
			}
}

/* Every bit of every entry, set alone: the manual's "must be zero" bits fault, all others do not. */
static void test_reserved(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SHAPES; i++)
		for (unsigned level = 0; level < shapes[i].levels; level++)
			for (unsigned bit = 0; bit < 8 * shapes[i].entry_bytes; bit++)
				for (unsigned nxe = 0; nxe < 2; nxe++) {
					struct tree t;
					build(&t, &shapes[i]);
					const struct shape *s = t.shape;
					unsigned shift = s->index_shift[level];
					uint64_t one = 1ull << bit, entry = entry_get(&t, level);
					bool last = level == s->levels - 1, bad = false;
					if (bit == 7 && !last && shift <= (s->efer & EFER_LMA ? 30 : 22))
						continue; /* makes it a large page */
					if (entry & one || (bit >= 12 && bit < 52 && bit >= s->page_shift) ||
						(bit >= 12 && bit < 52 && !last))
						continue; /* set already, or a part of the address */
					if (s->entry_bytes == 4)
						bad = s->page_shift == 22 && bit == 21;
					else if (s->pae_root && level == 0)
						bad = bit == 1 || bit == 2 || (bit >= 5 && bit <= 8) ||
						      bit >= 52;
					else
						bad = (bit == 63 && !nxe) ||
						      (s->pae_root && bit >= 52 && bit < 63) ||
						      (bit == 7 && shift >= 39) ||
						      (last && bit >= 13 && bit < s->page_shift);
					if (s->page_shift == 22 && bit >= 13 && bit < 21)
						continue; /* PSE-36 address */
					if (!nxe)
						t.cpu.efer &= ~EFER_NXE;
					entry_set(&t, level, entry | one);
					if (bad)
						expect_fault(&t, WALK_READ, 8 | 1);
					else
						expect_ok(&t, WALK_READ);
				}
}

/* Without CR4.PSE bit 7 of a 32-bit directory entry means nothing. */
static void test_no_pse(void **state)
{
	(void)state;
	struct tree t;
	build(&t, &shapes[0]);
	entry_set(&t, 0, entry_get(&t, 0) | PS);
	t.cpu.cr4 = 0;
	expect_ok(&t, WALK_WRITE);
}

static void test_entry_changes(void **state)
{
	(void)state;
	struct walk_result result;
	struct tree t;
	for (unsigned times = 1; times <= 3; times++) {
		build(&t, &shapes[4]);
		interfere = times;
		expect_ok(&t, WALK_WRITE);
		assert_int_equal(interfere, 0);
		assert_int_equal(entry_get(&t, 3) & (A | D), A | D);
	}
	build(&t, &shapes[4]);
	interfere = 1000000;
	updates = 0;
	assert_int_equal(run(&t, WALK_READ, &result), 1); /* it gives up */
	assert_int_equal(result.fault_error, 1);
	assert_in_range(updates, 2, 100);
	interfere = 0;
}

static void test_no_memory(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SHAPES; i++) {
		struct walk_result result;
		struct tree t;
		build(&t, &shapes[i]);
		for (unsigned level = t.shape->levels - 1; level > 0; level--) {
			entry_set(&t, level - 1, (entry_get(&t, level - 1) & 0xfff) | 0x7ffff000);
			assert_int_equal(run(&t, WALK_READ, &result), -1);
		}
		t.cpu.cr3 = 0x7ffff000;
		assert_int_equal(run(&t, WALK_READ, &result), -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_paging),
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_accessed_dirty),
		cmocka_unit_test(test_reserved),
		cmocka_unit_test(test_physical_bits),
		cmocka_unit_test(test_no_pse),
		cmocka_unit_test(test_entry_changes),
		cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
